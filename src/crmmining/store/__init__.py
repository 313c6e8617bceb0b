"""A store: a folder that keeps a CRM's tables and the logs told from them, for whoever comes next."""

from crmmining.store.folder import is_store
from crmmining.store.keeping import Store, change, keep, open_store

__all__ = ["Store", "change", "is_store", "keep", "open_store"]
