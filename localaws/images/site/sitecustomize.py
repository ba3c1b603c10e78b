"""
Imported by each Python of a job when it starts: PyTorch's rendezvous store listens on one address, not on all.

``torch.distributed.TCPStore`` binds to every interface, whatever host it is given, and nothing protects what is in it.
torchrun and ``init_process_group`` make theirs without a way to say otherwise. A process that does not import
``torch.distributed`` loses no time by this: nothing is imported here before.
"""

import sys


class _Finder:
    """Finds ``torch.distributed`` once, for :class:`loopback_store.Loader`."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        """As any finder."""
        if name != "torch.distributed":
            return None
        import importlib.util

        from loopback_store import Loader  # type: ignore[import-not-found]

        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        if spec is not None:
            spec.loader = Loader(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]
