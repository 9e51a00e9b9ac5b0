variable "package" {
  description = "The path of the zip file with the code of all functions, as `make lambda` builds it."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such file. Build it with `make lambda`, for the architecture and the runtime that are set here."
  }
}

variable "architecture" {
  description = "What the package is built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Take arm64 or x86_64."
  }
}

variable "runtime" {
  description = "The runtime the package is built for: python3.11 or later, or provided.al2023 for a package with a `bootstrap` of its own."
  type        = string
  default     = "python3.13"

  validation {
    condition     = can(regex("^(python3[.]1[1-9]|provided[.]al2023)$", var.runtime))
    error_message = "Interlock needs python3.11 or later, or provided.al2023 with a package that brings its own interpreter."
  }
}

variable "memory" {
  description = "Megabytes of memory by the name of a function, where it is not to be what functions.json says."
  type        = map(number)
  default     = {}
}

variable "reserved_concurrency" {
  description = "How many of a function may run at once, by its name. What is reserved is taken from the account's limit."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for count in values(var.reserved_concurrency) : count >= 1])
    error_message = "Take 1 or more: 0 would switch the function off without a word."
  }
}

variable "environment" {
  description = "Variables that every function gets besides its own, such as a proxy. Everybody who may look at the functions can read them: no secrets."
  type        = map(string)
  default     = {}
}

variable "evaluator_base_url" {
  description = "What relative addresses of evaluators are relative to."
  type        = string
  default     = ""

  validation {
    condition     = var.evaluator_base_url == "" || startswith(var.evaluator_base_url, "https://")
    error_message = "Take an https address: whoever can change the answers of an evaluator can start jobs."
  }
}

variable "public_url" {
  description = "The address under which jobs and people reach the API, which stands in links and callbacks: the output `api_url`, or one of yours in front of it. Without it there are no links."
  type        = string
  default     = ""

  validation {
    condition     = var.public_url == "" || can(regex("^https://[^/]+/?$", var.public_url))
    error_message = "Take an https address without a path."
  }
}

variable "vpc" {
  description = "The subnets and security groups the functions are in, if any. From there they must reach DynamoDB, SQS, SNS, Lambda, Step Functions, CloudWatch Logs and your evaluators."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) > 0 && length(var.vpc.security_group_ids) > 0, false)
    error_message = "Name at least one subnet and one security group."
  }
}
