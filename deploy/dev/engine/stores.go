package engine

import (
	"context"
	"fmt"

	"go.temporal.io/server/common/log"
	postgresschema "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
	"golang.org/x/sync/errgroup"

	"tokendesk/internal/pgcluster"
)

// setUpStores creates both databases and brings their schemas to the version that this server wants.
func setUpStores(ctx context.Context, cfg Config, logger log.Logger) error {
	var work errgroup.Group
	for _, store := range []struct{ database, schema, version string }{
		{cfg.Database, "postgresql/v12/temporal", postgresschema.Version},
		{visibilityDatabase(cfg), "postgresql/v12/visibility", postgresschema.VisibilityVersion},
	} {
		work.Go(func() error {
			if _, err := pgcluster.CreateDatabase(ctx, cfg.PostgresURL, store.database); err != nil {
				return err
			}
			if err := setUpSchema(cfg, store.database, store.schema, store.version, logger); err != nil {
				return fmt.Errorf("setting up the Temporal database %s: %w", store.database, err)
			}
			return nil
		})
	}
	return work.Wait()
}

// setUpSchema applies what is missing. The steps can be repeated, so a set-up that was killed half-way is finished by the next.
func setUpSchema(cfg Config, database, name, version string, logger log.Logger) error {
	store, err := storeConfig(cfg, database)
	if err != nil {
		return err
	}
	store.MaxConns, store.MaxIdleConns = 1, 1
	conn, err := sql.NewConnection(store, logger)
	if err != nil {
		return err
	}
	defer conn.Close()
	if current, err := conn.ReadSchemaVersion(); err == nil && current == version {
		return nil
	}
	setup := &schema.SetupConfig{InitialVersion: "0.0"}
	if err := schema.NewSetupSchemaTask(conn, setup, logger).Run(); err != nil {
		return err
	}
	update := &schema.UpdateConfig{DBName: database, SchemaName: name}
	return schema.NewUpdateSchemaTask(conn, update, logger).Run()
}
