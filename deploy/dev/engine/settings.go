package engine

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// cacheRefresh is how often each service of the server rereads namespaces; a new search attribute is known everywhere after it.
const cacheRefresh = 500 * time.Millisecond

// settings is the server's dynamic configuration: limits off that protect a shared server, queues that answer at once.
func settings(cfg Config) dynamicconfig.Client {
	const unlimited = 1_000_000
	values := dynamicconfig.StaticClient{
		dynamicconfig.NamespaceCacheRefreshInterval.Key(): cacheRefresh,

		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,

		// One host serves every task queue: more partitions would only pass tasks around.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// Timers fire within milliseconds of their moment; a continue-as-new inside a skip must not wait a second.
		dynamicconfig.TimerProcessorMaxTimeShift.Key():     5 * time.Millisecond,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():       1000,
		dynamicconfig.TransferProcessorMaxPollRPS.Key():    1000,
		dynamicconfig.WorkflowIdReuseMinimalInterval.Key(): time.Duration(0),

		dynamicconfig.WorkflowTimeSkippingEnabled.Key(): cfg.Sandbox,
	}
	for key, value := range cfg.Settings {
		values[dynamicconfig.MakeKey(key)] = value
	}
	return values
}
