resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name                  = "${var.name}-${each.key}"
  description                    = each.value.about
  role                           = aws_iam_role.function[each.key].arn
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  handler                        = each.value.handler
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  timeout                        = each.value.timeout
  memory_size                    = lookup(var.memory, each.key, each.value.memory)
  reserved_concurrent_executions = lookup(var.reserved_concurrency, each.key, -1)
  publish                        = true
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = merge(var.environment, { for name in each.value.environment : name => local.values[name] })
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    precondition {
      condition     = length(setintersection(keys(var.environment), keys(local.values))) == 0
      error_message = "`environment` sets a variable that has a setting of its own here. Remove it: ${join(", ", setintersection(keys(var.environment), keys(local.values)))}."
    }

    precondition {
      condition     = length(setsubtract(concat(keys(var.memory), keys(var.reserved_concurrency)), keys(local.functions))) == 0
      error_message = "`memory` or `reserved_concurrency` names a function that there is not. There are: ${join(", ", keys(local.functions))}."
    }
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# Whoever calls a function calls this. It moves to a new version only when that is there whole.
resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = local.alias
  description      = "what state machine, rules, mappings and the API call"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.rules

  function_name                = aws_lambda_function.this[each.key].function_name
  qualifier                    = aws_lambda_alias.live[each.key].name
  maximum_event_age_in_seconds = var.async_event_age
  maximum_retry_attempts       = var.async_retries

  destination_config {
    on_failure {
      destination = aws_sqs_queue.this["async-dead"].arn
    }
  }
}

# ---------------------------------------------------------------- the API

resource "aws_lambda_function_url" "api" {
  function_name      = aws_lambda_function.this["api"].function_name
  qualifier          = aws_lambda_alias.live["api"].name
  authorization_type = "AWS_IAM"
}

resource "aws_lambda_permission" "api" {
  for_each = toset(var.api_principals)

  statement_id_prefix    = "caller-"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this["api"].function_name
  qualifier              = aws_lambda_alias.live["api"].name
  principal              = each.value
  function_url_auth_type = "AWS_IAM"
}

# AWS wants two rights of who calls a function URL. The second must hold through the URL only: called directly, the function
# would be told by the caller who the caller is.
resource "aws_iam_policy" "api_caller" {
  name        = "${var.name}-api-caller-${local.region}"
  description = "to call the API of ${var.name} through its URL, and in no other way"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "CallUrl"
        Effect    = "Allow"
        Action    = "lambda:InvokeFunctionUrl"
        Resource  = local.alias_arns["api"]
        Condition = { StringEquals = { "lambda:FunctionUrlAuthType" = "AWS_IAM" } }
      },
      {
        Sid       = "ThroughUrl"
        Effect    = "Allow"
        Action    = "lambda:InvokeFunction"
        Resource  = local.alias_arns["api"]
        Condition = { Bool = { "lambda:InvokedViaFunctionUrl" = "true" } }
      },
    ]
  })
}
