"""Sampling with transformers' generate: every prompt `completions` times, all rows in one batch.

Job: folder, dtype (weights: fp32 | bf16), threads, prompts (token ids, of one length), completions, newTokens.
Tokens: those generated. The prefill counts. No end token: every row has full length.
"""

import serve


def work(peer: serve.Peer) -> None:
    import torch

    job = peer.job
    model = serve.load_model(job, job["dtype"]).eval()
    # Sampling settings of a checkpoint's own generation_config.json would be merged in.
    model.generation_config = type(model.generation_config)()
    rows = [ids for ids in job["prompts"] for _ in range(job["completions"])]
    ids = torch.tensor(rows)
    torch.manual_seed(0)

    def sample(new_tokens: int) -> int:
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new_tokens,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                eos_token_id=None,
                pad_token_id=0,
            )
        made = output.shape[1] - ids.shape[1]
        if made != new_tokens:
            raise RuntimeError(f"{made} tokens a row instead of {new_tokens}")
        return made * len(rows)

    sample(min(4, job["newTokens"]))
    serve.serve(peer, lambda: sample(job["newTokens"]))


serve.run(work)
