# What may be done with jobs: nothing but what the variables name. Starting and finding is the trigger's, looking and
# stopping the run checker's.

locals {
  glue_job_arns = [for job in var.glue_jobs :
    startswith(job, "arn:") ? job : "arn:${local.partition}:glue:${local.region}:${local.account}:job/${job}"
  ]
  emr_cluster_arns = [for cluster in var.emr_clusters :
    startswith(cluster, "arn:") ? cluster : "arn:${local.partition}:elasticmapreduce:${local.region}:${local.account}:cluster/${cluster}"
  ]
  emr_application_arns = [for application in var.emr_serverless_applications :
    startswith(application, "arn:") ? application : "arn:${local.partition}:emr-serverless:${local.region}:${local.account}:/applications/${application}"
  ]

  # The seven parts of a machine's ARN, without the version or the alias.
  machine_arns   = distinct([for arn in var.step_functions : join(":", slice(split(":", arn), 0, 7))])
  execution_arns = [for arn in local.machine_arns : "${replace(arn, ":stateMachine:", ":execution:")}:*"]

  start_jobs = [for statement in [
    {
      Sid      = "StartGlue"
      Action   = ["glue:GetJobRuns", "glue:StartJobRun"]
      Resource = local.glue_job_arns
    },
    {
      Sid      = "StartEmr"
      Action   = ["elasticmapreduce:AddJobFlowSteps", "elasticmapreduce:ListSteps"]
      Resource = local.emr_cluster_arns
    },
    {
      Sid      = "StartEmrServerless"
      Action   = ["emr-serverless:ListJobRuns", "emr-serverless:StartJobRun", "emr-serverless:TagResource"]
      Resource = local.emr_application_arns
    },
    {
      Sid      = "TagEmrServerless"
      Action   = ["emr-serverless:TagResource"]
      Resource = [for arn in local.emr_application_arns : "${arn}/jobruns/*"]
    },
    {
      Sid      = "StartMachines"
      Action   = ["states:StartExecution"]
      Resource = var.step_functions
    },
    {
      Sid      = "KnowMachines"
      Action   = ["states:DescribeStateMachine"]
      Resource = local.machine_arns
    },
    {
      Sid      = "FindExecutions"
      Action   = ["states:DescribeExecution"]
      Resource = local.execution_arns
    },
    {
      Sid      = "InvokeFunctions"
      Action   = ["lambda:InvokeFunction"]
      Resource = var.lambda_functions
    },
    {
      Sid       = "PassToEmr"
      Action    = ["iam:PassRole"]
      Resource  = var.emr_execution_roles
      Condition = { StringEquals = { "iam:PassedToService" = "elasticmapreduce.amazonaws.com" } }
    },
    {
      Sid       = "PassToEmrServerless"
      Action    = ["iam:PassRole"]
      Resource  = var.emr_serverless_execution_roles
      Condition = { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
    },
  ] : merge({ Effect = "Allow" }, statement) if length(statement.Resource) > 0]

  look_at_jobs = [for statement in [
    {
      Sid      = "LookAtGlue"
      Action   = ["glue:BatchStopJobRun", "glue:GetJob", "glue:GetJobRun", "glue:GetJobRuns"]
      Resource = local.glue_job_arns
    },
    {
      Sid      = "LookAtEmr"
      Action   = ["elasticmapreduce:CancelSteps", "elasticmapreduce:DescribeStep"]
      Resource = local.emr_cluster_arns
    },
    {
      Sid      = "LookAtEmrServerless"
      Action   = ["emr-serverless:CancelJobRun", "emr-serverless:GetJobRun"]
      Resource = [for arn in local.emr_application_arns : "${arn}/jobruns/*"]
    },
    {
      Sid      = "LookAtExecutions"
      Action   = ["states:DescribeExecution", "states:StopExecution"]
      Resource = local.execution_arns
    },
  ] : merge({ Effect = "Allow" }, statement) if length(statement.Resource) > 0]
}
