package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
)

const checkTimeout = 2 * time.Second

// getHealth says that the process lives.
func (s *server) getHealth(c *gin.Context) {
	c.JSON(http.StatusOK, gen.Health{Status: gen.HealthStatusOk})
}

// getReadiness says whether the process can serve: every check passes. Why one fails is in the log only.
func (s *server) getReadiness(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), checkTimeout)
	defer cancel()
	status, health := http.StatusOK, gen.Health{Status: gen.HealthStatusOk, Checks: map[string]gen.HealthChecks{}}
	for _, check := range s.Ready {
		health.Checks[check.Name] = gen.HealthChecksOk
		if err := check.Test(ctx); err != nil {
			health.Checks[check.Name], health.Status, status = gen.HealthChecksFailing, gen.HealthStatusFailing, http.StatusServiceUnavailable
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("check", check.Name), slog.String("error", causeOf(err)))
		}
	}
	c.JSON(status, health)
}
