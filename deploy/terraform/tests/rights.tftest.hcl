# Who may do what, read out of the policies themselves.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = "./functions.json"
}

run "as_it_comes" {
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), [aws_iam_role_policy.state_machine]) : [
        for statement in jsondecode(policy.policy).Statement : statement.Effect == "Allow" && alltrue([for action in statement.Action : !strcontains(action, "*")])
      ]
    ]))
    error_message = "a role may do something that is not named"
  }

  # The actions that AWS allows on no single resource are the one exception; the README gives the reason of each.
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), [aws_iam_role_policy.state_machine]) : [
        for statement in jsondecode(policy.policy).Statement : !contains(statement.Resource, "*") || statement.Sid == "DeliverLogs"
      ]
    ]))
    error_message = "a role may do something to everything"
  }

  assert {
    condition = toset([
      for statement in jsondecode(aws_iam_role_policy.function["evaluator"].policy).Statement : statement.Sid
    ]) == toset(["ReadTable", "WriteLog"])
    error_message = "the evaluator may do more than read the table"
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.function["evaluator"].policy).Statement : [
        for action in statement.Action : !strcontains(action, "Put") && !strcontains(action, "Delete") && !strcontains(action, "Update") && !strcontains(action, "Write") || startswith(action, "logs:")
      ]
    ]))
    error_message = "the evaluator may write"
  }

  assert {
    condition = alltrue([
      for name, policy in aws_iam_role_policy.function :
      strcontains(policy.policy, "dynamodb:PutItem") == (name != "evaluator")
      && strcontains(policy.policy, "sns:Publish") == contains(["alert-delivery", "watchdog", "ingress", "api"], name)
      && strcontains(policy.policy, "states:StartExecution") == contains(["stream-router", "scheduler"], name)
      && strcontains(policy.policy, "states:SendTaskSuccess") == (name == "stream-router")
      && strcontains(policy.policy, "lambda:InvokeFunction") == (name == "scheduler")
      && strcontains(policy.policy, "sqs:ReceiveMessage") == (name == "ingress")
      && strcontains(policy.policy, ":interlock-failures\"") == contains(["stream-router", "alert-delivery", "ingress"], name)
      && strcontains(policy.policy, ":interlock-async-dead\"") == contains(["scheduler", "alert-delivery", "watchdog"], name)
      && strcontains(policy.policy, "dynamodb:GetRecords") == contains(["stream-router", "alert-delivery"], name)
      && !strcontains(policy.policy, "dynamodb:Scan") && !strcontains(policy.policy, "dynamodb:UpdateItem")
      && !strcontains(policy.policy, "secretsmanager:") && !strcontains(policy.policy, "glue:")
      && !strcontains(policy.policy, "elasticmapreduce:") && !strcontains(policy.policy, "emr-serverless:")
      && !strcontains(policy.policy, "iam:") && !strcontains(policy.policy, "s3:") && !strcontains(policy.policy, "kms:")
      && !strcontains(policy.policy, "xray:") && !strcontains(policy.policy, "ec2:")
    ])
    error_message = "a function has a right that it does not need, or lacks one that it needs"
  }

  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.function : strcontains(policy.policy, ":log-group:/aws/lambda/interlock-${name}:*\"") && !strcontains(policy.policy, "logs:CreateLogGroup")])
    error_message = "a function may not write its log, or may write elsewhere"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.state_machine.policy).Statement : statement.Sid => statement.Action if statement.Sid != "DeliverLogs" } == {
      CallFunctions   = ["lambda:InvokeFunction"]
      Park            = ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"]
      StartExecutions = ["states:StartExecution"]
    }
    error_message = "the state machine may do more, or less, than call, park and renew"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.state_machine.policy).Statement : statement.Sid != "Park" || try(
        statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["PARKED#*", "SLOT#*"]
        && statement.Resource == ["arn:aws:dynamodb:eu-central-1:123456789012:table/interlock"], false
      )
    ])
    error_message = "the state machine may write other rows than those it parks in"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.state_machine.policy).Statement : statement.Sid != "CallFunctions" || statement.Resource == [
        for name in ["orchestrator", "evaluator", "trigger", "run-checker"] : "arn:aws:lambda:eu-central-1:123456789012:function:interlock-${name}:live"
      ]
    ])
    error_message = "the state machine may call something else than the live functions it is made of"
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_sqs_queue_policy.this), values(aws_sns_topic_policy.this)) : [
        for statement in jsondecode(policy.policy).Statement : statement.Effect == "Deny" ? statement.Condition.Bool["aws:SecureTransport"] == "false" : (
          statement.Condition.StringEquals["aws:SourceAccount"] == "123456789012"
          && (can(statement.Condition.ArnEquals["aws:SourceArn"]) || can(statement.Condition.ArnLike["aws:SourceArn"]))
        )
      ]
    ]))
    error_message = "a queue or topic takes messages from anybody, or in plain text"
  }

  assert {
    condition = { for name, queue in aws_sqs_queue.this : name => jsondecode(queue.redrive_allow_policy) } == {
      requests      = { redrivePermission = "denyAll" }
      requests-dead = { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-central-1:123456789012:interlock-requests"] }
      failures      = { redrivePermission = "denyAll" }
      async-dead    = { redrivePermission = "denyAll" }
    }
    error_message = "another queue could move its failures here"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_policy.api_caller.policy).Statement : statement.Action == "lambda:InvokeFunction" ? statement.Condition.Bool["lambda:InvokedViaFunctionUrl"] == "true" : statement.Action == "lambda:InvokeFunctionUrl"])
    error_message = "a caller of the API could call the function directly, and say it is somebody else"
  }
}

run "every_trigger_is_opened_by_name" {
  variables {
    glue_jobs                      = ["daily-sales"]
    emr_clusters                   = ["j-2AXXXXXXGAPLF"]
    emr_execution_roles            = ["arn:aws:iam::123456789012:role/step"]
    emr_serverless_applications    = ["00f1abcdexample0"]
    emr_serverless_execution_roles = ["arn:aws:iam::123456789012:role/job"]
    step_functions                 = ["arn:aws:states:eu-central-1:123456789012:stateMachine:load-sales:PROD"]
    lambda_functions               = ["arn:aws:lambda:eu-central-1:123456789012:function:load-sales"]
    secrets                        = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:airflow-AbCdEf"]
    alert_prefixes                 = ["ops-bucket/alerts"]
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.function["trigger"].policy).Statement : statement.Sid => statement.Resource if !contains(["ReadTable", "WriteTable", "WriteLog"], statement.Sid) } == {
      ReadSecrets         = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:airflow-AbCdEf"]
      StartGlue           = ["arn:aws:glue:eu-central-1:123456789012:job/daily-sales"]
      StartEmr            = ["arn:aws:elasticmapreduce:eu-central-1:123456789012:cluster/j-2AXXXXXXGAPLF"]
      StartEmrServerless  = ["arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00f1abcdexample0"]
      TagEmrServerless    = ["arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00f1abcdexample0/jobruns/*"]
      StartMachines       = ["arn:aws:states:eu-central-1:123456789012:stateMachine:load-sales:PROD"]
      KnowMachines        = ["arn:aws:states:eu-central-1:123456789012:stateMachine:load-sales"]
      FindExecutions      = ["arn:aws:states:eu-central-1:123456789012:execution:load-sales:*"]
      InvokeFunctions     = ["arn:aws:lambda:eu-central-1:123456789012:function:load-sales"]
      PassToEmr           = ["arn:aws:iam::123456789012:role/step"]
      PassToEmrServerless = ["arn:aws:iam::123456789012:role/job"]
    }
    error_message = "the trigger may start something else than what was named"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.function["run-checker"].policy).Statement : statement.Sid => statement.Action if !contains(["ReadTable", "WriteTable", "WriteLog", "ReadSecrets"], statement.Sid) } == {
      LookAtGlue          = ["glue:BatchStopJobRun", "glue:GetJob", "glue:GetJobRun", "glue:GetJobRuns"]
      LookAtEmr           = ["elasticmapreduce:CancelSteps", "elasticmapreduce:DescribeStep"]
      LookAtEmrServerless = ["emr-serverless:CancelJobRun", "emr-serverless:GetJobRun"]
      LookAtExecutions    = ["states:DescribeExecution", "states:StopExecution"]
    }
    error_message = "the run checker may start something, or cannot look"
  }

  assert {
    condition = alltrue([
      for name, policy in aws_iam_role_policy.function :
      strcontains(policy.policy, "secretsmanager:GetSecretValue") == contains(["evaluator", "trigger", "run-checker", "alert-delivery"], name)
      && strcontains(policy.policy, "s3:PutObject") == (name == "alert-delivery")
      && strcontains(policy.policy, "iam:PassRole") == (name == "trigger")
    ])
    error_message = "a function may read a secret, write an object or pass a role without need"
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.function["alert-delivery"].policy, "\"arn:aws:s3:::ops-bucket/alerts/*\"")
    error_message = "alerts may be written elsewhere than under their prefix"
  }
}

run "tracing_and_a_network_are_the_only_other_exceptions" {
  variables {
    tracing = true
    vpc     = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), [aws_iam_role_policy.state_machine]) : [
        for statement in jsondecode(policy.policy).Statement : !contains(statement.Resource, "*") || contains(["DeliverLogs", "Trace", "SeeNetwork"], statement.Sid)
      ]
    ]))
    error_message = "a role may do something to everything"
  }

  assert {
    condition = alltrue([
      for name, policy in aws_iam_role_policy.function :
      [for statement in jsondecode(policy.policy).Statement : statement.Condition.ArnEquals["lambda:SourceFunctionArn"] if statement.Effect == "Deny"]
      == ["arn:aws:lambda:eu-central-1:123456789012:function:interlock-${name}"]
    ])
    error_message = "the code of a function may change network interfaces"
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.tracing_config[0].mode == "Active"]) && aws_sfn_state_machine.pipeline.tracing_configuration[0].enabled
    error_message = "something is not traced"
  }
}

run "roles_have_a_boundary" {
  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.function), [aws_iam_role.state_machine]) : role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "a role has no boundary"
  }
}

run "callers_of_the_api_are_named" {
  variables {
    api_principals = ["arn:aws:iam::123456789012:role/ops"]
    api_roles      = { "arn:aws:sts::123456789012:assumed-role/ops/*" = ["operate"] }
  }

  assert {
    condition = alltrue([
      for permission in aws_lambda_permission.api :
      permission.principal == "arn:aws:iam::123456789012:role/ops" && permission.action == "lambda:InvokeFunctionUrl"
      && permission.function_url_auth_type == "AWS_IAM" && permission.qualifier == "live"
    ]) && length(aws_lambda_permission.api) == 1
    error_message = "a caller that was named may not call, or may do more"
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this["api"].environment[0].variables.API_ROLES) == { "arn:aws:sts::123456789012:assumed-role/ops/*" = ["operate"] }
    error_message = "the API does not know what its caller may do"
  }
}
