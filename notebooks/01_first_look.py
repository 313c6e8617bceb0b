# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first look: which region is slow, and how far can we trust the answer?
#
# Open this file as a notebook (jupytext) or run it cell by cell. It uses the sample CRM that ships with crmmining.

# %%
import polars as pl

import crmmining as cm
from crmmining.definitions import shipped

crm = cm.connect(shipped("data/sample"))
crm

# %% [markdown]
# ## Can we trust the data?
#
# Per table, the rows used, quarantined and filtered add up to the rows that came in.

# %%
quality = crm.quality()
quality.filter(pl.col("disposition").is_in(["quarantined", "filtered", "off"]))

# %%
tables = quality.filter(pl.col("scope") == "table", pl.col("disposition") != "finding")
tables.pivot("disposition", index="table", values="rows", aggregate_function="sum").head()

# %% [markdown]
# ## What happens to a case?
#
# The log holds one row per event; variants are the distinct sequences of its core activities.

# %%
log = crm.event_log("case")
log.events.select("case_id", "activity", "occurred_at", "old_value", "new_value").head()

# %%
log.variants().select("cases", "share", "cumulative", "variant").head()

# %%
from IPython.display import SVG

from crmmining.show import map_of

SVG(map_of(log))

# %% [markdown]
# ## Which region is slow?
#
# `n` cases reached the end, `open` ones are still on the way (censored), `excluded` ones never began.

# %%
log.throughput("created", "closed", by=["region"])

# %% [markdown]
# Is it the mix of priorities? The same question inside one priority:

# %%
log.filter(where="priority = 'Medium'").throughput("created", "closed", by=["region"])

# %% [markdown]
# ## All KPIs at once
#
# Tidy rows: every value with its denominator, what is still open, what was left out, and the hash of its definition.

# %%
scorecard = crm.scorecard("case", by=["region"], period="year")
scorecard.filter(kpi="resolution_time", part="median", clock="calendar").select(
    "period_start", "region", (pl.col("value") / 86400).round(1).alias("days"), "n", "open", "excluded"
)

# %%
crm.catalogue().filter(pl.col("process") == "case").select("kpi", "question", "formula")
