package engine

import (
	"fmt"
	"net/url"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	defaultStore    = "postgres-default"
	visibilityStore = "postgres-visibility"
	clusterName     = "active"

	// historyShards is for ever: a store that was made with one number cannot be opened with another.
	historyShards = 4
)

// services in the order in which they get their ports.
var services = []primitives.ServiceName{
	primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
}

// newServer puts all four services into one process. They find each other by fixed addresses: the gossip that a cluster of
// many hosts needs would spend seconds after a kill looking for services of the dead process.
func newServer(cfg Config, logger log.Logger) (temporal.Server, error) {
	ports, err := freePorts(len(services))
	if err != nil {
		return nil, err
	}
	ports[0] = cfg.Port
	conf, err := serverConfig(cfg)
	if err != nil {
		return nil, err
	}
	conf.Services = map[string]config.Service{}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, service := range services {
		conf.Services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnIP: loopback}}
		hosts[service] = static.SingleLocalHost(address(ports[i]))
	}
	claims, err := authorization.GetClaimMapperFromConfig(&conf.Global.Authorization, logger)
	if err != nil {
		return nil, fmt.Errorf("configuring the Temporal server: %w", err)
	}
	options := []temporal.ServerOption{
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithDynamicConfigClient(settings(cfg)),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
	}
	if cfg.Sandbox && cfg.Offset != nil {
		options = append(options, temporal.WithClientFactoryProvider(newSandboxProvider(cfg.Namespace, cfg.Offset)))
	}
	server, err := temporal.NewServer(options...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Temporal server: %w", err)
	}
	return server, nil
}

func serverConfig(cfg Config) (*config.Config, error) {
	main, err := storeConfig(cfg, cfg.Database)
	if err != nil {
		return nil, err
	}
	visibility, err := storeConfig(cfg, visibilityDatabase(cfg))
	if err != nil {
		return nil, err
	}
	conf := &config.Config{
		Persistence: config.Persistence{
			DefaultStore: defaultStore, VisibilityStore: visibilityStore, NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{defaultStore: {SQL: main}, visibilityStore: {SQL: visibility}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address(cfg.Port)},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: address(cfg.Port)},
	}
	conf.Archival.History.State = "disabled"
	conf.Archival.Visibility.State = "disabled"
	conf.NamespaceDefaults.Archival.History.State = "disabled"
	conf.NamespaceDefaults.Archival.Visibility.State = "disabled"
	conf.Global.Membership.MaxJoinDuration = 10 * time.Second
	conf.Global.Membership.BroadcastAddress = loopback
	return conf, nil
}

// storeConfig describes one store to the server's PostgreSQL plugin.
func storeConfig(cfg Config, database string) (*config.SQL, error) {
	u, err := url.Parse(cfg.PostgresURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the engine needs a PostgreSQL URL with a host in it")
	}
	if u.Port() == "" {
		u.Host += ":5432"
	}
	password, _ := u.User.Password()
	attributes := map[string]string{}
	for key, values := range u.Query() {
		attributes[key] = values[0]
	}
	return &config.SQL{
		PluginName: postgresql.PluginNamePGX, DatabaseName: database,
		ConnectAddr: u.Host, ConnectProtocol: "tcp", ConnectAttributes: attributes,
		User: u.User.Username(), Password: password,
		MaxConns: cfg.MaxConns, MaxIdleConns: cfg.MaxConns, MaxConnLifetime: time.Hour,
	}, nil
}

func visibilityDatabase(cfg Config) string { return cfg.Database + "_visibility" }
