"""What the pre-training metrics say, each in a sentence that fits into a table."""

from __future__ import annotations

#: metric -> its meaning for a facet value, "group" being the rows that have it and "rest" all others.
MEANINGS = {
    "CDDL": "Share of rejections less share of acceptances that go to the group, averaged over the group variable.",
    "CI": "(rest - group) / all rows: near 1 the group is rare, 0 it is half of the rows, near -1 it is most of them.",
    "DPL": "Positive share of the rest less that of the group: above 0 the rest is better off, 0 is parity.",
    "JS": "Jensen-Shannon divergence of the outcomes of group and rest, in nats: 0 is the same distribution.",
    "KL": "Kullback-Leibler divergence of the outcomes of the rest from those of the group, in nats: 0 is the same.",
    "KS": "Largest difference between an outcome's shares in group and rest: 0 is the same, 1 nothing in common.",
    "LP": "Euclidean distance between the outcome shares of group and rest: 0 is the same distribution.",
    "TVD": "Half the sum of the differences between these shares: 0 is the same, 1 nothing in common.",
}
