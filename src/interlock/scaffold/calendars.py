"""Calendar files made from the `holidays` package. It is asked once, when the file is made, and never while evaluating."""

from __future__ import annotations

from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from interlock.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_YEARS: Final = 50


def calendar_file(name: str, code: str, subdiv: str | None, years: range) -> str:
    """Return the text of a calendar file with the public holidays of a country, or the days a market is closed.

    Raises:
        ValueError: no such country or market, or it has no such subdivision, or no holidays in those years.
        MissingExtra: the package is not installed.
    """
    try:
        import holidays
    except ImportError as exc:
        raise MissingExtra("interlock calendar build", "calendars") from exc
    code = _known(code, subdiv)
    chosen = holidays.country_holidays if code in holidays.list_supported_countries() else holidays.financial_holidays
    found: Mapping[date, str] = chosen(code, subdiv=subdiv, years=years, language="en_US")
    without = sorted({*years} - {day.year for day in found})
    if without:
        # A file that is named after years it knows nothing of would let jobs start on their holidays.
        others = "" if len(without) == len(years) else f", of {_span(years)}"
        raise ValueError(f"the package knows no holidays of {code} in {_listed(without)}{others}")
    what = f"{code}-{subdiv}" if subdiv else code
    source = f"version {version('holidays')} of the package `holidays`"
    lines = [
        f"# The holidays of {what} in {_span(years)}, by {source}.",
        "# Other years are not in it. Make it anew in time with:",
        f"#   interlock calendar build {name} --holidays {code}{f' --subdiv {subdiv}' if subdiv else ''} --years YEARS",
        f"name: {name}",
        "dates:",
    ]
    lines += [f'  - "{day.isoformat()}"  # {_comment(found[day])}' for day in sorted(found)]
    return "\n".join(lines) + "\n"


def _known(code: str, subdiv: str | None) -> str:
    import holidays

    countries, markets = holidays.list_supported_countries(), holidays.list_supported_financial()
    known = {**markets, **countries}
    code = code if code in known else code.upper()
    if code not in known:
        raise ValueError(f"no country or market is known as {code!r}{_near(code, list(known))}")
    if subdiv is not None and subdiv not in known[code]:
        raise ValueError(f"{code} has no subdivision {subdiv!r}{_near(subdiv, list(known[code]))}")
    return code


def _near(word: str, choices: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word.upper(), choices, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (there are: {', '.join(sorted(choices))})" if 0 < len(choices) <= 60 else ""


def _span(years: range) -> str:
    return f"{years[0]}" if len(years) == 1 else f"{years[0]} to {years[-1]}"


def _listed(years: list[int]) -> str:
    whole = years == list(range(years[0], years[-1] + 1))
    return _span(range(years[0], years[-1] + 1)) if whole else ", ".join(map(str, years))


def _comment(text: str) -> str:
    return " ".join(text.split())
