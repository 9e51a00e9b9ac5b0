variable "name" {
  description = "The beginning of every resource's name. Two deployments in one account and region need two names."
  type        = string
  default     = "interlock"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "Take 3 to 30 lower case letters, digits and hyphens, beginning with a letter: names of roles and rules get no longer."
  }
}

variable "table_name" {
  description = "The name of the table if it is not to be `name`: that of a table restored from a backup, for example."
  type        = string
  default     = null

  validation {
    condition     = var.table_name == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "DynamoDB takes 3 to 255 letters, digits, underscores, full stops and hyphens."
  }
}

variable "tags" {
  description = "Tags of every resource that can have some."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary" {
  description = "The ARN of a policy that bounds every role of this module."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "The ARN of a key of yours for the table, queues, topics, logs, variables and state machine. Its policy must let the services use it: see the README. Without one AWS's own keys are used, and the topics are not encrypted."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias: CloudWatch Logs takes no other."
  }
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. Interlock without its table does not know what has run."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs knows 7, 14, 30, 60, 90, 120, 150, 180, 365 days and some longer spans. A log that is gone within a week explains nothing."
  }
}

variable "tracing" {
  description = "Whether functions and executions are traced by X-Ray."
  type        = bool
  default     = false
}

# ---------------------------------------------------------------- the state machine

variable "execution_log_level" {
  description = "What of the executions is logged: ALL, ERROR, FATAL or OFF. Their data never is."
  type        = string
  default     = "ERROR"

  validation {
    condition     = contains(["ALL", "ERROR", "FATAL", "OFF"], var.execution_log_level)
    error_message = "Take ALL, ERROR, FATAL or OFF."
  }
}

variable "longest_wait" {
  description = "How many seconds an execution waits at most before it looks again at data or a job. Deadlines are kept whatever it is."
  type        = number
  default     = 300

  validation {
    condition     = var.longest_wait >= 10 && var.longest_wait <= 3600 && floor(var.longest_wait) == var.longest_wait
    error_message = "Take whole seconds from 10 to 3600: each look costs some state transitions."
  }
}

# ---------------------------------------------------------------- time

variable "watchdog_minutes" {
  description = "How many minutes pass from one look of the watchdog to the next."
  type        = number
  default     = 5

  validation {
    condition     = var.watchdog_minutes >= 1 && var.watchdog_minutes <= 60 && floor(var.watchdog_minutes) == var.watchdog_minutes
    error_message = "Take whole minutes from 1 to 60."
  }
}

variable "async_event_age" {
  description = "How many seconds the event of a rule may wait for its function until it counts as lost, and goes to the dead letter queue."
  type        = number
  default     = 300

  validation {
    condition     = var.async_event_age >= 60 && var.async_event_age <= 21600
    error_message = "Lambda takes 60 to 21600 seconds."
  }
}

variable "async_retries" {
  description = "How often Lambda tries the event of a rule again after the function failed."
  type        = number
  default     = 2

  validation {
    condition     = contains([0, 1, 2], var.async_retries)
    error_message = "Lambda takes 0, 1 or 2."
  }
}

# ---------------------------------------------------------------- the table's stream, and the queue of requests

variable "stream" {
  description = "How records of the table's stream are handed to functions. Those of one row stay in order whatever `parallelization` is. `max_retries` and `max_age` (seconds) bound how long a record that cannot be handled holds up others."
  type = object({
    batch_size      = optional(number, 25)
    window          = optional(number, 0)
    parallelization = optional(number, 2)
    max_retries     = optional(number, 8)
    max_age         = optional(number, 3600)
  })
  default = {}

  validation {
    condition     = var.stream.batch_size >= 1 && var.stream.batch_size <= 1000
    error_message = "Take a batch_size of 1 to 1000 records."
  }

  validation {
    condition     = var.stream.window >= 0 && var.stream.window <= 60
    error_message = "Take a window of 0 to 60 seconds: runs wait that long to begin."
  }

  validation {
    condition     = var.stream.parallelization >= 1 && var.stream.parallelization <= 10
    error_message = "Take a parallelization of 1 to 10."
  }

  validation {
    condition     = var.stream.max_retries >= 0 && var.stream.max_retries <= 100
    error_message = "Take 0 to 100 max_retries. Without end, one bad record stops its shard for a day."
  }

  validation {
    condition     = var.stream.max_age >= 60 && var.stream.max_age <= 21600
    error_message = "Take a max_age of 60 to 21600 seconds: the stream itself forgets after 24 hours."
  }
}

variable "requests_concurrency" {
  description = "How many batches of requests are taken out of the queue at once."
  type        = number
  default     = 5

  validation {
    condition     = var.requests_concurrency >= 2 && var.requests_concurrency <= 1000
    error_message = "Lambda takes 2 to 1000."
  }
}

variable "request_sources" {
  description = "What may send requests into the queue without a role of its own: an EventBridge rule, an SNS topic or an S3 bucket, by its ARN. Roles of this account need sqs:SendMessage in their own policy instead."
  type = list(object({
    service = string
    arn     = string
  }))
  default = []

  validation {
    condition     = alltrue([for source in var.request_sources : contains(["events", "sns", "s3"], source.service)])
    error_message = "Take `events`, `sns` or `s3` as the service."
  }

  validation {
    condition     = alltrue([for source in var.request_sources : can(regex("^arn:aws[a-z-]*:[^*?]+$", source.arn))])
    error_message = "Give whole ARNs: a wildcard would let in whatever is called alike."
  }
}

# ---------------------------------------------------------------- the API

variable "api_principals" {
  description = "ARNs of the roles and users that may call the API. What each may do there, `api_roles` says."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.api_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*?]+$", arn))])
    error_message = "Give ARNs of roles or users (arn:aws:iam::ACCOUNT:role/NAME). An account or `*` would let in everybody there."
  }
}

variable "api_roles" {
  description = "What callers of the API may do: lists of `read`, `push`, `operate` and `admin` by patterns of ARNs. A role's sessions are called arn:aws:sts::ACCOUNT:assumed-role/NAME/*. Without any pattern, whoever IAM lets in may do everything."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for pattern in keys(var.api_roles) : can(regex("^(arn:|[*?])", pattern))])
    error_message = "Begin each pattern with arn:, * or ?: others match nobody."
  }

  validation {
    condition     = alltrue([for role in flatten(values(var.api_roles)) : contains(["read", "push", "operate", "admin"], role)])
    error_message = "Take read, push, operate or admin."
  }
}

# ---------------------------------------------------------------- telling people

variable "alert_subscriptions" {
  description = "Who is told: subscriptions of the alert topic, such as { protocol = \"email\", endpoint = \"oncall@example.com\" }."
  type = list(object({
    protocol = string
    endpoint = string
  }))
  default = []
}

variable "alarm_actions" {
  description = "ARNs that alarms are told to besides the alert topic: it cannot tell that it is itself out of order."
  type        = list(string)
  default     = []
}

variable "alarm_iterator_age" {
  description = "How many seconds a function may be behind the table's stream."
  type        = number
  default     = 60
}

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard."
  type        = bool
  default     = false
}
