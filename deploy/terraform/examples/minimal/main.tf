# The least there can be: a package, and somebody who is told.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

variable "package" {
  description = "The path of the zip file that `make lambda` built."
  type        = string
}

module "interlock" {
  source = "../.."

  package             = var.package
  alert_subscriptions = [{ protocol = "email", endpoint = "oncall@example.com" }]
}

output "table_name" {
  description = "The table that `interlock deploy sync` writes the project into."
  value       = module.interlock.table_name
}
