from __future__ import annotations

from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.sinks.wording import facts, others, sentence, title
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_alert


def test_everything_that_is_known_has_a_line() -> None:
    notice = a_notice(
        alert=an_alert(owner="team-sales", tier=2),
        folded=(an_alert("a-2", "waits"),),
        grouped=(an_alert("a-3", "too"),),
    )
    assert facts(notice) == (
        "slot: daily-sales:daily:2026-03-07",
        "run: daily-sales:daily:2026-03-07:1",
        "type: run_failed, since 2026-03-07 12:00:00 UTC",
        "owner: team-sales",
        "tier: 2",
        "attempts: 3",
        "this also holds up 1 more:",
        "- [ERROR] daily-sales:daily:2026-03-07: waits",
        "told together with 1 more:",
        "- [ERROR] daily-sales:daily:2026-03-07: too",
    )


def test_the_jobs_own_page_is_a_link_on_a_line_of_its_own() -> None:
    page = "https://jobs.example/" + "a" * 300
    lines = facts(a_notice(alert=an_alert(details=document({"jobUrl": page, "attempts": 3}))))
    assert [line for line in lines if "jobs.example" in line] == [f"job: {page}"]
    assert "attempts: 3" in lines


def test_a_page_that_is_no_link_is_a_text_among_the_others() -> None:
    """G7: what a target says is opened by people."""
    lines = facts(a_notice(alert=an_alert(details=document({"jobUrl": "javascript:alert(1)"}))))
    assert 'jobUrl: "javascript:alert(1)"' in lines
    assert not any(line.startswith("job: ") for line in lines)


def test_a_link_shows_no_secret() -> None:
    """T-76."""
    page = document({"jobUrl": "https://anna:hunter2@jobs.example/1?token=hunter2&a=1"})
    assert "job: https://jobs.example/1?a=1" in facts(a_notice(alert=an_alert(details=page)))


def test_long_lists_are_cut_and_say_so() -> None:
    details = Document(tuple((f"key-{number}", "1") for number in range(30)))
    lines = facts(a_notice(alert=an_alert(details=details)))
    assert lines[-1] == "… and 20 more"
    assert len(lines) == 14


def test_many_others_are_counted_and_some_are_named() -> None:
    many = tuple(an_alert(f"a-{number}", slot=None) for number in range(12))
    assert others(a_notice(grouped=many)) == "(and 12 more: interlock)"
    assert others(a_notice()) == ""


def test_the_title_is_the_same_in_every_telling() -> None:
    assert (
        title(a_notice().alert, 100) == title(a_resolved_notice().alert, 100) == "[ERROR] daily-sales: the job failed"
    )


def test_every_line_is_one_line() -> None:
    hostile = "a\r\nb\x1b[2J\u2028c"
    notice = a_notice(alert=an_alert(message=hostile, owner=hostile), folded=(an_alert(hostile, hostile),))
    lines = (title(notice.alert, 200), sentence(notice), others(notice), *facts(notice))
    assert [line for line in lines if "\n" in line or "\r" in line or "\x1b" in line or "\u2028" in line] == []
