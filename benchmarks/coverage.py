"""Coverage: how often the intervals of competing ends hold the truth, and by how much closed deals mislead.

`python -m benchmarks.coverage [--replications N] [--seed S] [--page FILE]`
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks import pages
from benchmarks.planted_deals import ENDS, LOOKED_AT, NEVER, WON, World, study

ACCOUNTS = (15, 50, 200)
ALIKE = (0.0, 0.25, 0.5)
SHOWN = (90, 365)
FIGURES = ("truth", "incidence", "coverage", "coverage_alone", "closed_only")
HEADING = "Intervals of conversion"
TEMPLATE = """{replications:,} simulated CRMs a row (seed {seed}), deals of {looked_at} days, four per account
on average. Of all deals {never:.0%} are never decided; of the others {won:.0%} are won, soon, and the rest
lost, late. `alike` is how much two deals of one account resemble each other (their correlation). Coverage is
how often the 95 % interval of `analyses.outcomes` holds the truth: clustered by account, and with each deal
as a draw of its own (`alone`); its standard error is {error:.1%}. Closed only is won / (won + lost) so far,
which people take for the rate.

| accounts | alike | outcome | day | truth | mean incidence | coverage | coverage, alone | closed only |
|---:|---:|---|---:|---:|---:|---:|---:|---:|
{lines}
"""


def lines(replications: int, seed: int) -> Iterator[str]:
    """The rows of the page."""
    for accounts in ACCOUNTS:
        for alike in ALIKE:
            found = study(World(replications, accounts, alike=alike), seed)
            for row in found.iter_rows(named=True):
                if row["outcome"] in ENDS and row["day"] in SHOWN:
                    shares = (
                        row[name]
                        for name in ("truth", "incidence", "coverage", "coverage_alone", "closed_only")
                    )
                    told = " | ".join(f"{share:.1%}" for share in shares)
                    yield f"| {accounts} | {alike} | {row['outcome']} | {row['day']} | {told} |"


def main() -> None:
    """Run the study and write its part of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    options = parser.parse_args()
    text = TEMPLATE.format(
        replications=options.replications,
        seed=options.seed,
        looked_at=LOOKED_AT,
        never=NEVER,
        won=WON,
        error=(0.95 * 0.05 / options.replications) ** 0.5,
        lines="\n".join(lines(options.replications, options.seed)),
    )
    pages.write_part(options.page, HEADING, text)
    print(text)


if __name__ == "__main__":
    main()
