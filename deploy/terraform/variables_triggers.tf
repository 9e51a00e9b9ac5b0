# What jobs may be started. Nothing may until it is named here.

variable "glue_jobs" {
  description = "Names or ARNs of the Glue jobs that may be started, looked at and stopped."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for job in var.glue_jobs : can(regex("^[^*?]+$", job))])
    error_message = "Name each job: with a wildcard, whoever can write a pipeline could start any of them."
  }
}

variable "emr_clusters" {
  description = "Ids or ARNs of the EMR clusters that steps may be added to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cluster in var.emr_clusters : can(regex("^[^*?]+$", cluster))])
    error_message = "Name each cluster: with a wildcard, whoever can write a pipeline could run code on any of them."
  }
}

variable "emr_execution_roles" {
  description = "ARNs of the roles that steps on EMR clusters may run as."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for role in var.emr_execution_roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*?]+$", role))])
    error_message = "Give whole ARNs of roles: with a wildcard, a step could be given any role of the account."
  }
}

variable "emr_serverless_applications" {
  description = "Ids or ARNs of the EMR Serverless applications that job runs may be started in."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for application in var.emr_serverless_applications : can(regex("^[^*?]+$", application))])
    error_message = "Name each application: with a wildcard, whoever can write a pipeline could use any of them."
  }
}

variable "emr_serverless_execution_roles" {
  description = "ARNs of the roles that job runs of EMR Serverless may have."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for role in var.emr_serverless_execution_roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*?]+$", role))])
    error_message = "Give whole ARNs of roles: with a wildcard, a job could be given any role of the account."
  }
}

variable "step_functions" {
  description = "ARNs of the state machines that may be started; with a version or an alias where a pipeline names one."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.step_functions : can(regex("^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^*?]+$", arn))])
    error_message = "Give whole ARNs (arn:aws:states:REGION:ACCOUNT:stateMachine:NAME): with a wildcard, any machine could be started."
  }
}

variable "lambda_functions" {
  description = "ARNs of the functions that may be invoked as jobs; with a version or an alias where a pipeline names one."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.lambda_functions : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[^*?]+$", arn))])
    error_message = "Give whole ARNs (arn:aws:lambda:REGION:ACCOUNT:function:NAME): with a wildcard, any function could be invoked."
  }
}

variable "secrets" {
  description = "ARNs of the secrets in Secrets Manager that evaluators, triggers and sinks name."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secrets : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?]+$", arn))])
    error_message = "Give whole ARNs, with the six characters that AWS puts behind the name: with a wildcard, other secrets could be read."
  }
}

variable "alert_prefixes" {
  description = "Where in S3 alerts may be kept, as BUCKET/PREFIX."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for place in var.alert_prefixes : can(regex("^[a-z0-9.-]{3,63}/[^*?]+$", place))])
    error_message = "Give BUCKET/PREFIX: without a prefix, any object of the bucket could be written."
  }
}

variable "foreign_kms_key_arns" {
  description = "ARNs of the keys under which those secrets and buckets lie, where they are not AWS's own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.foreign_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[^*?]+$", arn))])
    error_message = "Give whole ARNs of keys (arn:aws:kms:REGION:ACCOUNT:key/ID)."
  }
}
