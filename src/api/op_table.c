/* All operations of the API. A row `op_NAME` ends the file of its resource; a declaration and a
 * line here make it one: routes, OpenAPI, command, man page and completion follow. */
#include "api/op.h"

extern const struct op op_health;
extern const struct op op_apply_yaml;
extern const struct op op_config_delete;
extern const struct op op_config_exists;
extern const struct op op_config_get;
extern const struct op op_config_index;
extern const struct op op_config_list;
extern const struct op op_config_refresh;
extern const struct op op_config_set;
extern const struct op op_config_update;
extern const struct op op_load_yaml;
extern const struct op op_master_allusers;
extern const struct op op_master_createsuper;
extern const struct op op_user_create;
extern const struct op op_user_delete;
extern const struct op op_user_deleteself;
extern const struct op op_actions_call;
extern const struct op op_actions_list;
extern const struct op op_actions_load_local;
extern const struct op op_actions_load_module;
extern const struct op op_actions_load_remote;
extern const struct op op_actions_module_list;
extern const struct op op_actions_unload_action;
extern const struct op op_actions_unload_actionset;
extern const struct op op_actions_unload_module;
extern const struct op op_jsorc_actionpolicy_get;
extern const struct op op_jsorc_actionpolicy_observe;
extern const struct op op_jsorc_actionpolicy_record;
extern const struct op op_jsorc_actionpolicy_set;
extern const struct op op_jsorc_actions_config;
extern const struct op op_jsorc_actions_load;
extern const struct op op_jsorc_actions_status;
extern const struct op op_jsorc_actions_unload;
extern const struct op op_jsorc_actionstracking_start;
extern const struct op op_jsorc_actionstracking_stop;
extern const struct op op_jsorc_benchmark_report;
extern const struct op op_jsorc_benchmark_start;
extern const struct op op_jsorc_benchmark_stop;
extern const struct op op_jsorc_diff;
extern const struct op op_jsorc_loadtest;
extern const struct op op_jsorc_loadtest_report;
extern const struct op op_jsorc_logs;
extern const struct op op_jsorc_status;
extern const struct op op_jsorc_trackact_report;
extern const struct op op_jsorc_trackact_start;
extern const struct op op_jsorc_trackact_stop;
extern const struct op op_jsorc_tracksys_report;
extern const struct op op_jsorc_tracksys_start;
extern const struct op op_jsorc_tracksys_stop;
extern const struct op op_jsorc_refresh;
extern const struct op op_mail_send;
extern const struct op op_mail_test;
extern const struct op op_prometheus_metrics_list;
extern const struct op op_prometheus_node_info;
extern const struct op op_prometheus_pod_info;
extern const struct op op_prometheus_pod_list;
extern const struct op op_service_backup;
extern const struct op op_service_backups;
extern const struct op op_service_call;
extern const struct op op_service_config_get;
extern const struct op op_service_config_set;
extern const struct op op_service_info;
extern const struct op op_service_list;
extern const struct op op_service_refresh;
extern const struct op op_service_restore;
extern const struct op op_add_scheduled_walker;
extern const struct op op_delete_scheduled_queue;
extern const struct op op_get_scheduled_queues;
extern const struct op op_tasks_add;
extern const struct op op_tasks_cancel;
extern const struct op op_tasks_dead;
extern const struct op op_tasks_list;
extern const struct op op_tasks_retry;
extern const struct op op_tasks_show;
extern const struct op op_walker_queue_check;
extern const struct op op_walker_queue_wait;
extern const struct op op_walker_run;

const struct op *const OP_TABLE[] = {
    &op_health,
    &op_apply_yaml,
    &op_config_delete,
    &op_config_exists,
    &op_config_get,
    &op_config_index,
    &op_config_list,
    &op_config_refresh,
    &op_config_set,
    &op_config_update,
    &op_load_yaml,
    &op_master_allusers,
    &op_master_createsuper,
    &op_user_create,
    &op_user_delete,
    &op_user_deleteself,
    &op_actions_call,
    &op_actions_list,
    &op_actions_load_local,
    &op_actions_load_module,
    &op_actions_load_remote,
    &op_actions_module_list,
    &op_actions_unload_action,
    &op_actions_unload_actionset,
    &op_actions_unload_module,
    &op_jsorc_actionpolicy_get,
    &op_jsorc_actionpolicy_observe,
    &op_jsorc_actionpolicy_record,
    &op_jsorc_actionpolicy_set,
    &op_jsorc_actions_config,
    &op_jsorc_actions_load,
    &op_jsorc_actions_status,
    &op_jsorc_actions_unload,
    &op_jsorc_actionstracking_start,
    &op_jsorc_actionstracking_stop,
    &op_jsorc_benchmark_report,
    &op_jsorc_benchmark_start,
    &op_jsorc_benchmark_stop,
    &op_jsorc_diff,
    &op_jsorc_loadtest,
    &op_jsorc_loadtest_report,
    &op_jsorc_logs,
    &op_jsorc_status,
    &op_jsorc_trackact_report,
    &op_jsorc_trackact_start,
    &op_jsorc_trackact_stop,
    &op_jsorc_tracksys_report,
    &op_jsorc_tracksys_start,
    &op_jsorc_tracksys_stop,
    &op_jsorc_refresh,
    &op_mail_send,
    &op_mail_test,
    &op_prometheus_metrics_list,
    &op_prometheus_node_info,
    &op_prometheus_pod_info,
    &op_prometheus_pod_list,
    &op_service_backup,
    &op_service_backups,
    &op_service_call,
    &op_service_config_get,
    &op_service_config_set,
    &op_service_info,
    &op_service_list,
    &op_service_refresh,
    &op_service_restore,
    &op_add_scheduled_walker,
    &op_delete_scheduled_queue,
    &op_get_scheduled_queues,
    &op_tasks_add,
    &op_tasks_cancel,
    &op_tasks_dead,
    &op_tasks_list,
    &op_tasks_retry,
    &op_tasks_show,
    &op_walker_queue_check,
    &op_walker_queue_wait,
    &op_walker_run,
    NULL,
};
