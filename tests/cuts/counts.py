"""Figures of many cuts, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.cuts.player import Played


def table(all_played: Sequence[Played]) -> str:
    """Kills by phase, pages, jobs and tokens, and every problem with the seed that shows it again."""
    outcomes = [played.outcome for played in all_played]
    phases = Counter(played.phase for played in all_played if played.kills)
    kills, idle = sum(played.kills for played in all_played), sum(not played.kills for played in all_played)
    shown, delivered = sum(each.shown for each in outcomes), sum(each.delivered for each in outcomes)
    tokens, completed = sum(each.tokens for each in outcomes), sum(each.completed for each in outcomes)
    first = sum(bool(each.completed) and each.tokens == 1 for each in outcomes)
    fresh = sum(bool(each.completed) and each.tokens > 1 for each in outcomes)
    lines = [
        f"{len(all_played)} scans, {kills} kills; {idle} scans were over before their moment",
        *(f"  {count:5} x killed: {phase}" for phase, count in phases.most_common()),
        f"{shown} pages shown to the user, {delivered} delivered",
        f"{tokens} post-scan jobs, {completed} of them completed",
        f"  {first:5} scans resumed or done in their first token",
        f"  {fresh:5} scans anew in a fresh token",
        f"  {len(outcomes) - first - fresh:5} scans without a page to deliver",
        f"  {sum(each.unheard for each in outcomes):5} empty post-scan jobs whose token was never heard",
    ]
    for played in all_played:
        where = f"{played.cut.mode}, seed {played.cut.seed}, {played.moment}, {played.phase}"
        lines += [f"PROBLEM ({where}): {problem}" for problem in played.problems]
    return "\n".join(lines)
