/* The rows of POLICY_TABLE; each ends a file of its own. */
#pragma once

#include "policy/policy.h"

extern const struct policy_ops POLICY_DEFAULT;
extern const struct policy_ops POLICY_EVALUATION;
extern const struct policy_ops POLICY_ADAPTIVE;
