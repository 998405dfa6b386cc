"""How a peer is asked, over its standard input and output, one JSON object a line.

First comes the job. The peer loads, warms up and answers {"ready": true}. Then each {"measure": true} is answered
with {"seconds": s, "tokens": n}: one repetition, timed here, so that neither start nor transfer counts. What goes wrong is
answered with {"error": "…"}. When the input ends, so does the process, in the middle of a repetition too.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

Job = dict[str, Any]
_END = object()


class Peer:
    """The bench's end of the line."""

    def __init__(self) -> None:
        # Libraries print what they like; the answers have a channel of their own.
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._requests: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.job: Job = self._requests.get()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._requests.put(json.loads(line))
        os._exit(0)

    def answer(self, **fields: Any) -> None:
        self._answers.write(json.dumps(fields) + "\n")
        self._answers.flush()

    def next_request(self) -> None:
        """Returns when a repetition is asked for."""
        self._requests.get()


def run(work: Callable[[Peer], None]) -> None:
    """Starts a peer; an exception becomes its answer."""
    peer = Peer()
    try:
        _use_threads(peer.job["threads"])
        work(peer)
    except BaseException as error:
        traceback.print_exc()
        peer.answer(error=f"{type(error).__name__}: {error}".splitlines()[0])
        os._exit(1)


def serve(peer: Peer, repeat: Callable[[], int]) -> None:
    """Answers requests for ever with the time `repeat` takes; it returns how many tokens it has computed."""
    peer.answer(ready=True)
    while True:
        peer.next_request()
        started = time.perf_counter()
        tokens = repeat()
        peer.answer(seconds=time.perf_counter() - started, tokens=tokens)


def load_model(job: Job, dtype: str):
    """The model folder as transformers' model; `dtype` is fp32 or bf16."""
    import torch
    from transformers import AutoModelForCausalLM

    kind = torch.float32 if dtype == "fp32" else torch.bfloat16
    return AutoModelForCausalLM.from_pretrained(job["folder"], dtype=kind)


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
