#!/usr/bin/env bash
# A client of the API that knows nothing of Interlock's code: curl and jq, the routes and the field names of the reference.
#
#   URL=http://127.0.0.1:3000 KEY=… STUB=http://127.0.0.1:8080 SENSORS=./sensors tests/acceptance/api_client.sh SCENARIO…
#
# STUB is a server whose POST /start takes jobs, and answers 503 after POST /shut until POST /open; GET /count tells how many
# it took. SENSORS is a directory of small files that the evaluators check-freshness, check-rows and check-capacity read.
# EXCLUDED is the weekday that it is for the project, MIDNIGHT how many seconds ago its day began.
set -euo pipefail

: "${URL:?}" "${STUB:?}" "${SENSORS:?}"
KEY=${KEY:-}
PATIENCE=${PATIENCE:-40}
ANSWER=$(mktemp)
trap 'rm -f "$ANSWER"' EXIT

fail() {
  echo "FAILED in ${SCENARIO:-?}: $*" >&2
  [ -s "$ANSWER" ] && { echo "the last answer ($STATUS):"; jq . "$ANSWER" 2>/dev/null || cat "$ANSWER"; } >&2
  exit 1
}

# ask METHOD PATH [BODY]: the status goes to STATUS, the body to the file ANSWER.
ask() {
  local more=()
  [ -n "$KEY" ] && more+=(-H "X-API-Key: $KEY")
  [ $# -ge 3 ] && more+=(-H 'Content-Type: application/json' --data-binary "$3")
  : >"$ANSWER"
  STATUS=$(curl -sS --max-time 30 -o "$ANSWER" -w '%{http_code}' -X "$1" "${more[@]}" "$URL$2") || fail "$1 $2: no answer"
}

# says STATUS METHOD PATH [BODY]: ask, and insist on the status.
says() {
  local wanted=$1
  shift
  ask "$@"
  [ "$STATUS" = "$wanted" ] || fail "$1 $2 gave $STATUS, not $wanted"
}

# holds FILTER: insist that jq finds the last answer so.
holds() { jq -e "$1" "$ANSWER" >/dev/null || fail "the answer is not so: $1"; }

# tell FILTER: print a part of the last answer.
tell() { jq -r "$1" "$ANSWER"; }

# until_so PATH FILTER: ask until it is so.
until_so() {
  local ends=$((SECONDS + PATIENCE))
  while :; do
    ask GET "$1"
    if [ "$STATUS" = 200 ] && jq -e "$2" "$ANSWER" >/dev/null 2>&1; then return; fi
    [ $SECONDS -lt $ends ] || fail "waited in vain for GET $1 to be $2"
    sleep 0.2
  done
}

sense() { printf '%s' "$2" >"$SENSORS/$1.new" && mv "$SENSORS/$1.new" "$SENSORS/$1"; }
all() { for sensor in freshness rows capacity; do sense "$sensor" "$1"; done; }
jobs_taken() { curl -sS "$STUB/count?pipeline=$1"; }

# register NAME [MORE]: a pipeline with three sensors whose job is the stub's; MORE is merged into its document.
register() {
  local document
  document=$(jq -n --arg name "$1" --arg url "$STUB/start?pipeline=$1" --argjson more "${2:-{\}}" '{
    name: $name, archetype: "three-sensors", tier: 2,
    traits: {
      freshness: {evaluator: "check-freshness", timeout: 20},
      rows: {evaluator: "check-rows", timeout: 20},
      capacity: {evaluator: "check-capacity", timeout: 20}
    },
    trigger: {type: "http", method: "POST", url: $url},
    watch: {interval: "1s"}
  } * $more')
  says 201 POST /api/pipelines "$document"
  holds ".name == \"$1\" and .archetype == \"three-sensors\" and .trigger.type == \"http\""
}

# running NAME: wait until its newest run is RUNNING, and print the run's id.
running() {
  until_so "/api/pipelines/$1/runs" '.[0].status == "RUNNING"'
  tell '.[0].runId'
}

# complete RUN: its job reports success.
complete() { says 200 POST "/api/runs/$1/complete" '{"status":"success","metadata":{"rows":42}}'; }

completed() { until_so "/api/pipelines/$1/runs" '.[0].status == "COMPLETED"'; }

scenario_1() { # judged no, no, yes; started by itself; completed by callback
  all bad
  register one
  says 200 POST /api/pipelines/one/evaluate
  holds '.status == "NOT_READY" and (.blocking | length) == 3 and .pipelineId == "one" and (.evaluatedAt | length) > 0'
  sense freshness good
  says 200 POST /api/pipelines/one/evaluate
  holds '.status == "NOT_READY" and (.blocking | length) == 2 and ([.traits[].traitType] | length) == 3'
  all good
  says 200 POST /api/pipelines/one/evaluate
  holds '.status == "READY" and ([.traits[] | select(.status == "PASS")] | length) == 3'
  local run
  run=$(running one)
  says 200 GET "/api/runs/$run"
  holds '.status == "RUNNING" and .version >= 1 and .pipelineId == "one" and .createdAt <= .updatedAt'
  complete "$run"
  holds '.status == "COMPLETED"'
  complete "$run" # a repeated callback is the same callback
  says 409 POST "/api/runs/$run/complete" '{"status":"failed"}'
  holds '.error | length > 0'
  says 200 GET /api/pipelines/one/events?limit=500
  holds '[.[].kind] | index("TRAIT_EVALUATED") < index("READINESS_CHECKED")'
  holds '[.[].kind] | index("TRIGGER_FIRED") < index("CALLBACK_RECEIVED")'
  says 200 GET /api/pipelines/one/readiness
  holds '.status == "READY"'
  says 200 GET /api/pipelines/one/runlogs
  holds '.[0].status == "COMPLETED" and .[0].attemptNumber == 1 and (.[0].completedAt | length) > 0'
  says 200 GET "/api/pipelines/one/runlogs/$(tell '.[0].date')?schedule=$(tell '.[0].scheduleId')"
  holds ".runId == \"$run\""
}

scenario_2() { # run again: refused while a sensor is bad, and done when it is well
  all good
  register two
  complete "$(running two)"
  completed two
  local date
  date=$(tell '.[0].date')
  sense rows bad
  says 200 POST /api/pipelines/two/evaluate
  holds '.status == "NOT_READY" and .blocking == ["rows"]'
  says 412 POST /api/pipelines/two/rerun "{\"originalDate\":\"$date\",\"reason\":\"corrected at the source\"}"
  holds '.status == "NOT_READY" and .blocking == ["rows"] and .rerun.status == "PENDING" and (.error | length) > 0'
  sense rows good
  says 200 POST /api/pipelines/two/evaluate
  holds '.status == "READY"'
  complete "$(running two)"
  completed two
  [ "$(jobs_taken two)" = 2 ] || fail "the job was started $(jobs_taken two) times, not twice"
}

scenario_3() { # a completed slot stays completed
  all good
  register three
  complete "$(running three)"
  completed three
  says 409 POST /api/pipelines/three/run
  says 200 POST /api/pipelines/three/evaluate
  sleep 3
  says 200 GET /api/pipelines/three/runs
  holds 'length == 1'
  [ "$(jobs_taken three)" = 1 ] || fail "the job was started $(jobs_taken three) times"
}

scenario_4() { # nothing runs on an excluded day
  all good
  register four "{\"exclusions\":{\"days\":[\"${EXCLUDED:?}\"]}}"
  says 409 POST /api/pipelines/four/run
  sleep 3
  says 200 GET /api/pipelines/four/runs
  holds '. == []'
  [ "$(jobs_taken four)" = 0 ] || fail "a job was started"
}

scenario_5() { # what nobody knows is not found
  says 404 POST /api/pipelines/nobody/evaluate
  holds '.error | length > 0'
  for path in readiness traits runs runlogs events reruns; do says 404 GET "/api/pipelines/nobody/$path"; done
  says 404 GET /api/pipelines/nobody
  says 404 GET /api/runs/nobody:daily:2026-01-01:1
  says 404 POST /api/pipelines/nobody/run
  says 404 POST /api/runs/nobody:daily:2026-01-01:1/complete '{"status":"success"}'
}

scenario_6() { # registered with good sensors: started unaided
  all good
  register six
  complete "$(running six)"
  completed six
  [ "$(jobs_taken six)" = 1 ] || fail "the job was started $(jobs_taken six) times"
}

scenario_7() { # gold waits for silver
  all good
  register gold '{"archetype":"three-sensors","traits":{"rows":{"evaluator":"builtin:upstream-check","config":{"upstreamPipeline":"silver"}}}}'
  register silver
  local silver
  silver=$(running silver)
  says 200 GET /api/pipelines/gold/runs
  holds '[.[] | select(.status != "PENDING")] == []'
  [ "$(jobs_taken gold)" = 0 ] || fail "gold was started before silver was done"
  complete "$silver"
  complete "$(running gold)"
  completed gold
}

scenario_8() { # a refused start is tried again
  all good
  curl -sS -X POST "$STUB/shut" >/dev/null
  register eight '{"retry":{"maxAttempts":20,"backoffSeconds":1,"backoffMultiplier":1.0}}'
  until_so /api/pipelines/eight/runlogs '.[0].retryHistory | length >= 1'
  holds '.[0].failureMessage | length > 0'
  curl -sS -X POST "$STUB/open" >/dev/null
  complete "$(running eight)"
  until_so /api/pipelines/eight/runlogs '.[0].status == "COMPLETED" and .[0].attemptNumber >= 2'
  [ "$(jobs_taken eight)" = 1 ] || fail "the job was taken $(jobs_taken eight) times"
}

scenario_9() { # drift after completion is noticed, and run again
  all good
  register nine '{"watch":{"interval":"1s","monitoring":{"enabled":true,"duration":"60s"}}}'
  complete "$(running nine)"
  holds '.status == "COMPLETED_MONITORING"'
  sense rows bad
  until_so /api/pipelines/nine/events?limit=500 '[.[].kind] | index("MONITORING_DRIFT_DETECTED") != null'
  until_so /api/pipelines/nine/reruns 'length >= 1'
}

scenario_10() { # a rerun of a completed slot
  all good
  register ten
  complete "$(running ten)"
  completed ten
  local date
  date=$(tell '.[0].date')
  says 400 POST /api/pipelines/ten/rerun '{"reason":"no date"}'
  says 400 POST /api/pipelines/ten/rerun "{\"originalDate\":\"$date\"}"
  says 202 POST /api/pipelines/ten/rerun "{\"originalDate\":\"$date\",\"reason\":\"corrected\",\"description\":\"by hand\"}"
  holds ".pipelineId == \"ten\" and .originalDate == \"$date\" and (.rerunRunId | length) > 0 and .reason == \"corrected\""
  local rerun
  rerun=$(tell '.rerunId')
  until_so /api/pipelines/ten/reruns "[.[].rerunId] | index(\"$rerun\") != null"
  until_so /api/reruns "[.[].rerunId] | index(\"$rerun\") != null"
  running ten >/dev/null
  says 200 POST "/api/reruns/$rerun/complete" '{"status":"success"}'
  holds '.status == "COMPLETED" and (.completedAt | length) > 0'
  completed ten
}

scenario_11() { # a missed evaluation deadline is told
  all bad
  register eleven "{\"sla\":{\"evaluationDeadline\":\"$((${MIDNIGHT:?} + 6 + SECONDS))s\"}}"
  until_so /api/pipelines/eleven/events?limit=500 '[.[].kind] | index("SLA_BREACHED") != null'
  holds '[.[] | select(.kind == "SLA_BREACHED")] | length == 1'
}

scenario_pushed() { # a trait that is pushed
  register pushed '{"traits":{"rows":{"evaluator":"push","ttl":300}}}'
  all good
  says 200 POST /api/pipelines/pushed/evaluate
  holds '.status == "NOT_READY" and .blocking == ["rows"]'
  says 400 POST /api/pipelines/pushed/traits/rows '{"status":"MAYBE"}'
  says 400 POST /api/pipelines/pushed/traits/rows '{"status":'
  says 404 POST /api/pipelines/nobody/traits/rows '{"status":"PASS"}'
  says 201 POST /api/pipelines/pushed/traits/rows '{"status":"PASS","value":{"rows":7},"reason":"counted","ttl":120}'
  holds '.status == "PASS" and .traitType == "rows" and .value.rows == 7 and (.expiresAt | length) > 0'
  complete "$(running pushed)"
  says 200 GET /api/pipelines/pushed/traits
  holds '[.[] | select(.traitType == "rows")][0].status == "PASS"'
  says 200 GET /api/pipelines/pushed/traits/rows
  says 404 GET /api/pipelines/pushed/traits/nothing
}

scenario_pipelines() { # names, listing, removal, health
  says 200 GET /api/health
  holds '. == {"status":"ok"}'
  for name in a UPPER 'has space' ../../etc key:injection ''; do
    says 400 POST /api/pipelines "$(jq -n --arg name "$name" '{name: $name, archetype: "three-sensors"}')"
  done
  for name in ab my.pipeline-v2; do register "$name" '{"watch":{"enabled":false}}'; done
  says 400 POST /api/pipelines '{"name":"shelled","archetype":"three-sensors","trigger":{"type":"command","command":"true"}}'
  says 400 POST /api/pipelines '{"name":"odd-one","archetype":"nobody-knows"}'
  says 200 GET /api/pipelines
  holds '[.[].name] | index("ab") != null and index("my.pipeline-v2") != null'
  says 200 GET /api/pipelines/ab
  holds '.name == "ab" and .tier == 2'
  says 200 GET /api/pipelines/ab/traits
  says 200 GET /api/pipelines/ab/runs
  holds '. == []'
  says 200 GET /api/pipelines/ab/reruns
  holds '. == []'
  says 204 DELETE /api/pipelines/ab
  says 204 DELETE /api/pipelines/ab
  says 404 GET /api/pipelines/ab
  says 200 GET /debug/vars
  holds '.evaluations_total >= 0'
}

[ $# -gt 0 ] || set -- 1 2 3 4 5 6 7 8 9 10 11 pushed pipelines
for SCENARIO; do
  "scenario_$SCENARIO"
  echo "ok $SCENARIO"
done
