/* For unit tests: what Celery 5.7.0 with kombu 5.7.0 wrote to a Redis. */
#pragma once

#define CELERY_PLAIN                                                                               \
    "{\"body\": \"W1siZ3JlZXQiLCB7IndobyI6ICJab1x1MDBlYiJ9XSwgeyJuIjogMS41fSwgeyJjYWxsYmFja3M"     \
    "iOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=\", \"conte"     \
    "nt-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": {\"lang\""     \
    ": \"py\", \"task\": \"jsorc.walker\", \"id\": \"6f0e7a52-0000-4000-8000-000000000001\", "     \
    "\"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, \"group_index\": nu"     \
    "ll, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"6f0e7a52-0000-4000-8000-"     \
    "000000000001\", \"parent_id\": null, \"argsrepr\": \"['greet', {'who': 'Zo\\u00eb'}]\", "     \
    "\"kwargsrepr\": \"{'n': 1.5}\", \"origin\": \"client@host\", \"ignore_result\": null, \""     \
    "replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properties\": "     \
    "{\"correlation_id\": \"6f0e7a52-0000-4000-8000-000000000001\", \"reply_to\": \"4e648844-"     \
    "9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": "      \
    "\"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"de"     \
    "livery_tag\": \"b4431ded-558d-4366-be24-270d7da466d5\"}}"

#define CELERY_ETA                                                                                 \
    "{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjo"     \
    "gbnVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-type\": \"ap"     \
    "plication/json\", \"headers\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": \""     \
    "id-eta\", \"shadow\": null, \"eta\": \"2029-12-31T23:59:59+05:30\", \"expires\": \"2030-"     \
    "01-02T03:04:05.678901+00:00\", \"group\": null, \"group_index\": null, \"retries\": 2, "      \
    "\"timelimit\": [30, 20], \"root_id\": \"id-eta\", \"parent_id\": null, \"argsrepr\": \"["     \
    "1]\", \"kwargsrepr\": \"{}\", \"origin\": \"client@host\", \"ignore_result\": true, \"re"     \
    "placed_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properties\": {"      \
    "\"correlation_id\": \"id-eta\", \"reply_to\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", "     \
    "\"delivery_mode\": 2, \"expiration\": \"98010931986\", \"delivery_info\": {\"exchange\":"     \
    " \"\", \"routing_key\": \"celery\"}, \"priority\": 5, \"body_encoding\": \"base64\", \"d"     \
    "elivery_tag\": \"802e4bdb-8790-4430-9fdb-18425539d8d3\"}}"

#define CELERY_GZIP                                                                                \
    "{\"body\": \"eJyLjjaM1VGorgVipeTEnJykxOTsYiUrhbzSnBwdBaXUoiI0keSMxMw8ZG5+UQqUWxsLAOEqGXI"     \
    "=\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers"      \
    "\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": \"id-gz\", \"shadow\": null, "     \
    "\"eta\": null, \"expires\": null, \"group\": null, \"group_index\": null, \"retries\": 0"     \
    ", \"timelimit\": [null, null], \"root_id\": \"id-gz\", \"parent_id\": null, \"argsrepr\""     \
    ": \"[1]\", \"kwargsrepr\": \"{}\", \"origin\": \"client@host\", \"ignore_result\": null,"     \
    " \"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}, \"compression"      \
    "\": \"application/x-gzip\"}, \"properties\": {\"correlation_id\": \"id-gz\", \"reply_to"      \
    "\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": 2, \"delivery_info\": {"     \
    "\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \""     \
    "base64\", \"delivery_tag\": \"9c368eb5-1b56-47d3-a6e2-c045c03efdf0\"}}"

#define CELERY_PICKLE                                                                              \
    "{\"body\": \"gASVOQAAAAAAAABdlEsBYX2UfZQojAljYWxsYmFja3OUTowIZXJyYmFja3OUTowFY2hhaW6UTow"     \
    "FY2hvcmSUTnWHlC4=\", \"content-encoding\": \"binary\", \"content-type\": \"application/x"     \
    "-python-serialize\", \"headers\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\":"     \
    " \"id-pickle\", \"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, \"g"     \
    "roup_index\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"id-pickl"     \
    "e\", \"parent_id\": null, \"argsrepr\": \"[1]\", \"kwargsrepr\": \"{}\", \"origin\": \"c"     \
    "lient@host\", \"ignore_result\": null, \"replaced_task_nesting\": 0, \"stamped_headers\""     \
    ": null, \"stamps\": {}}, \"properties\": {\"correlation_id\": \"id-pickle\", \"reply_to"      \
    "\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": 2, \"delivery_info\": {"     \
    "\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \""     \
    "base64\", \"delivery_tag\": \"3bcf55dc-bdd9-4164-953d-d0cae6f454a6\"}}"

#define CELERY_LINK                                                                                \
    "{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogW3sidGFzayI6ICJqc29yYy53YWxrZXIiLCAiYXJncyI"     \
    "6IFsyXSwgImt3YXJncyI6IHt9LCAib3B0aW9ucyI6IHt9LCAic3VidGFza190eXBlIjogbnVsbCwgImltbXV0YWJ"     \
    "sZSI6IGZhbHNlfV0sICJlcnJiYWNrcyI6IG51bGwsICJjaGFpbiI6IG51bGwsICJjaG9yZCI6IG51bGx9XQ==\","     \
    " \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": {"     \
    "\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": \"id-link\", \"shadow\": null, \"e"     \
    "ta\": null, \"expires\": null, \"group\": null, \"group_index\": null, \"retries\": 0, "      \
    "\"timelimit\": [null, null], \"root_id\": \"id-link\", \"parent_id\": null, \"argsrepr\""     \
    ": \"(1,)\", \"kwargsrepr\": \"{}\", \"origin\": \"client@host\", \"ignore_result\": null"     \
    ", \"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properties"     \
    "\": {\"correlation_id\": \"id-link\", \"reply_to\": \"4e648844-9688-312d-a1a3-df89ec39cf"     \
    "66\", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"c"     \
    "elery\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"delivery_tag\": \"5410d90a-a"     \
    "6c7-49cf-8741-6e902e6858bc\"}}"

#define CELERY_CHAIN                                                                               \
    "{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjo"     \
    "gW3sidGFzayI6ICJqc29yYy53YWxrZXIiLCAiYXJncyI6IFszXSwgImt3YXJncyI6IHt9LCAib3B0aW9ucyI6IHs"     \
    "idGFza19pZCI6ICJmZTg4Zjg3Yy00ZWNkLTQ0OWItYjhhNi0zOGQzMmJlZTA3MzciLCAicmVwbHlfdG8iOiAiNGU"     \
    "2NDg4NDQtOTY4OC0zMTJkLWExYTMtZGY4OWVjMzljZjY2In0sICJzdWJ0YXNrX3R5cGUiOiBudWxsLCAiaW1tdXR"     \
    "hYmxlIjogZmFsc2V9LCB7InRhc2siOiAianNvcmMud2Fsa2VyIiwgImFyZ3MiOiBbMl0sICJrd2FyZ3MiOiB7fSw"     \
    "gIm9wdGlvbnMiOiB7InRhc2tfaWQiOiAiMWQ1YmQ4ZjQtOGNiMS00ZmIwLTlkOGItYTI0M2ZhYjFmNTNmIiwgInJ"     \
    "lcGx5X3RvIjogIjRlNjQ4ODQ0LTk2ODgtMzEyZC1hMWEzLWRmODllYzM5Y2Y2NiJ9LCAic3VidGFza190eXBlIjo"     \
    "gbnVsbCwgImltbXV0YWJsZSI6IGZhbHNlfV0sICJjaG9yZCI6IG51bGx9XQ==\", \"content-encoding\": "      \
    "\"utf-8\", \"content-type\": \"application/json\", \"headers\": {\"lang\": \"py\", \"tas"     \
    "k\": \"jsorc.walker\", \"id\": \"44a7f1b9-3dd7-42e5-b3e3-3661f1cc3216\", \"shadow\": nul"     \
    "l, \"eta\": null, \"expires\": null, \"group\": null, \"group_index\": null, \"retries\""     \
    ": 0, \"timelimit\": [null, null], \"root_id\": \"44a7f1b9-3dd7-42e5-b3e3-3661f1cc3216\","     \
    " \"parent_id\": null, \"argsrepr\": \"(1,)\", \"kwargsrepr\": \"{}\", \"origin\": \"clie"     \
    "nt@host\", \"ignore_result\": null, \"replaced_task_nesting\": 0, \"stamped_headers\": n"     \
    "ull, \"stamps\": {}}, \"properties\": {\"correlation_id\": \"44a7f1b9-3dd7-42e5-b3e3-366"     \
    "1f1cc3216\", \"reply_to\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": "     \
    "2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0"     \
    ", \"body_encoding\": \"base64\", \"delivery_tag\": \"f0a68cb0-4772-411b-bdce-b41d834e4d2"     \
    "a\"}}"

#define CELERY_GROUP                                                                               \
    "{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjo"     \
    "gbnVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-type\": \"ap"     \
    "plication/json\", \"headers\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": \""     \
    "6c735486-0414-4a70-9f68-461133a5d246\", \"shadow\": null, \"eta\": null, \"expires\": nu"     \
    "ll, \"group\": \"757939e7-926a-4f63-9363-c9d97e643704\", \"group_index\": 0, \"retries\""     \
    ": 0, \"timelimit\": [null, null], \"root_id\": \"6c735486-0414-4a70-9f68-461133a5d246\","     \
    " \"parent_id\": null, \"argsrepr\": \"(1,)\", \"kwargsrepr\": \"{}\", \"origin\": \"clie"     \
    "nt@host\", \"ignore_result\": null, \"replaced_task_nesting\": 0, \"stamped_headers\": n"     \
    "ull, \"stamps\": {}}, \"properties\": {\"correlation_id\": \"6c735486-0414-4a70-9f68-461"     \
    "133a5d246\", \"reply_to\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": "     \
    "2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0"     \
    ", \"body_encoding\": \"base64\", \"delivery_tag\": \"5d77db27-0316-4c6f-8d0b-1e71c18f783"     \
    "5\"}}"

#define CELERY_CHORD                                                                               \
    "{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjo"     \
    "gbnVsbCwgImNob3JkIjogeyJ0YXNrIjogImpzb3JjLndhbGtlciIsICJhcmdzIjogWzNdLCAia3dhcmdzIjoge30"     \
    "sICJvcHRpb25zIjogeyJ0YXNrX2lkIjogImFmNGU5YWYwLTI2ZDQtNDgzZS05YjY5LTU1ZGZkNzY0MTUwMSIsICJ"     \
    "yZXBseV90byI6ICI0ZTY0ODg0NC05Njg4LTMxMmQtYTFhMy1kZjg5ZWMzOWNmNjYiLCAiZ3JvdXBfaWQiOiAiYWQ"     \
    "2ZWIwOGYtNzIwMC00NWQ3LTk1ODQtODQ5MjNmMGNkZmMwIn0sICJzdWJ0YXNrX3R5cGUiOiBudWxsLCAiaW1tdXR"     \
    "hYmxlIjogZmFsc2V9fV0=\", \"content-encoding\": \"utf-8\", \"content-type\": \"applicatio"     \
    "n/json\", \"headers\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": \"3e154a38"     \
    "-50de-4e2c-af30-8438e3a5fd73\", \"shadow\": null, \"eta\": null, \"expires\": null, \"gr"     \
    "oup\": \"ad6eb08f-7200-45d7-9584-84923f0cdfc0\", \"group_index\": 0, \"retries\": 0, \"t"     \
    "imelimit\": [null, null], \"root_id\": \"3e154a38-50de-4e2c-af30-8438e3a5fd73\", \"paren"     \
    "t_id\": null, \"argsrepr\": \"(1,)\", \"kwargsrepr\": \"{}\", \"origin\": \"client@host"      \
    "\", \"ignore_result\": null, \"replaced_task_nesting\": 0, \"stamped_headers\": null, \""     \
    "stamps\": {}}, \"properties\": {\"correlation_id\": \"3e154a38-50de-4e2c-af30-8438e3a5fd"     \
    "73\", \"reply_to\": \"4e648844-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": 2, \"de"     \
    "livery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"bod"     \
    "y_encoding\": \"base64\", \"delivery_tag\": \"c607fb0f-2510-410a-84b8-6329e12b7e1d\"}}"

#define CELERY_UNACKED                                                                             \
    "[{\"body\": \"W1sxXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIj"     \
    "ogbnVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-type\": \"a"     \
    "pplication/json\", \"headers\": {\"lang\": \"py\", \"task\": \"jsorc.walker\", \"id\": "      \
    "\"id-un\", \"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, \"group_"     \
    "index\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"id-un\", \"pa"     \
    "rent_id\": null, \"argsrepr\": \"[1]\", \"kwargsrepr\": \"{}\", \"origin\": \"client@hos"     \
    "t\", \"ignore_result\": null, \"replaced_task_nesting\": 0, \"stamped_headers\": null, "      \
    "\"stamps\": {}}, \"properties\": {\"correlation_id\": \"id-un\", \"reply_to\": \"4e64884"     \
    "4-9688-312d-a1a3-df89ec39cf66\", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\":"     \
    " \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"d"     \
    "elivery_tag\": \"66775e5c-7e4d-4d31-a91b-811a8d581eba\"}}, \"\", \"celery\"]"

#define CELERY_RESULT                                                                              \
    "{\"status\": \"SUCCESS\", \"result\": {\"anchor\": null, \"response\": [1, 2.5]}, \"trac"     \
    "eback\": null, \"children\": null, \"date_done\": \"2026-11-24T17:48:33.757590+00:00\", "     \
    "\"task_id\": \"id-ok\"}"

#define CELERY_RESULT_FAILED                                                                       \
    "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"ValueError\", \"exc_message\": ["      \
    "\"no such\", \"thing\"], \"exc_module\": \"builtins\"}, \"traceback\": \"Traceback (most"     \
    " recent call last):\\n  boom\\n\", \"children\": null, \"date_done\": \"2026-11-24T17:48"     \
    ":33.760496+00:00\", \"task_id\": \"id-bad\"}"

#define CELERY_RESULT_REVOKED                                                                      \
    "{\"status\": \"REVOKED\", \"result\": {\"exc_type\": \"TaskRevokedError\", \"exc_message"     \
    "\": [\"expired\"], \"exc_module\": \"celery.exceptions\"}, \"traceback\": null, \"childr"     \
    "en\": null, \"date_done\": \"2026-11-24T17:48:33.761366+00:00\", \"task_id\": \"id-rev\""     \
    "}"

#define CELERY_RESULT_STARTED                                                                      \
    "{\"status\": \"STARTED\", \"result\": {\"pid\": 1}, \"traceback\": null, \"children\": n"     \
    "ull, \"date_done\": null, \"task_id\": \"id-st\"}"
