"""A supervised step in PyTorch: forward, backward, clipping, fused AdamW; loss on all tokens but the first.

Job: folder, dtype (fp32 | bf16: autocast over fp32 weights), threads, rows (token ids, of one length), loraRank (0: all
weights train), loraAlpha. Tokens: all of the rows.
"""

import serve

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def work(peer: serve.Peer) -> None:
    import torch

    job = peer.job
    model = serve.load_model(job, "fp32")
    if job["loraRank"] > 0:
        from peft import LoraConfig, get_peft_model

        adapters = LoraConfig(
            r=job["loraRank"], lora_alpha=job["loraAlpha"], target_modules=PROJECTIONS
        )
        model = get_peft_model(model, adapters)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, fused=True)
    ids = torch.tensor(job["rows"])

    def step() -> int:
        with torch.autocast("cpu", torch.bfloat16, enabled=job["dtype"] == "bf16"):
            logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten()
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return ids.numel()

    step()
    serve.serve(peer, step)


serve.run(work)
