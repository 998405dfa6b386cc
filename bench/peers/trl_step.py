"""A whole step of TRL's GRPOTrainer: sampling, rewards that cost nothing, and the gradient step.

Job: folder, scratch (where the trainer may write), dtype (fp32 | bf16: the trainer's own bf16 = True, autocast over fp32
weights), threads, prompts and warmUpPrompts (token ids), completions, newTokens, microRows (sequences of a backward pass).
Tokens: those generated. No KL term, no vLLM, no gradient checkpointing; every completion has newTokens tokens.
"""

import os
import time

import serve

os.environ.update(HF_HUB_OFFLINE="1", TRL_EXPERIMENTAL_SILENCE="1", WANDB_DISABLED="true")
WARM_UP_TOKENS = 4
# More than will ever be asked for.
ROUNDS = 64


def word_tokenizer(vocabulary: int):
    """The word `t17` is token 17: the trainer wants text, and gets exactly the ids meant."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {f"t{i}": i for i in range(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="t0", pad_token="t0", eos_token="t1"
    )


def work(peer: serve.Peer) -> None:
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    job = peer.job
    model = serve.load_model(job, "fp32")
    sequences = len(job["prompts"]) * job["completions"]

    def text(prompts: list[list[int]]) -> list[str]:
        return [" ".join(f"t{i}" for i in ids) for ids in prompts]

    class OnRequest(TrainerCallback):
        """Each step but the first, which warms up, waits until it is asked for."""

        started = 0.0

        def on_step_begin(self, args, state, control, **kwargs):
            warm = state.global_step > 0
            tokens = job["newTokens"] if warm else min(WARM_UP_TOKENS, job["newTokens"])
            trainer.generation_config.max_new_tokens = tokens
            # The end token of the checkpoint is ruled out until the last token.
            trainer.generation_config.min_new_tokens = tokens
            if warm:
                peer.next_request()
            self.started = time.perf_counter()

        def on_step_end(self, args, state, control, **kwargs):
            seconds = time.perf_counter() - self.started
            if state.global_step == 1:
                peer.answer(ready=True)
            else:
                peer.answer(seconds=seconds, tokens=sequences * job["newTokens"])

    settings = GRPOConfig(
        output_dir=job["scratch"],
        use_cpu=True,
        bf16=job["dtype"] == "bf16",
        num_generations=job["completions"],
        per_device_train_batch_size=job["microRows"],
        gradient_accumulation_steps=sequences // job["microRows"],
        max_completion_length=job["newTokens"],
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        num_iterations=1,
        max_grad_norm=1.0,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        max_steps=ROUNDS,
        gradient_checkpointing=False,
        shuffle_dataset=False,
        mask_truncated_completions=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    prompts = text(job["warmUpPrompts"]) + text(job["prompts"]) * ROUNDS
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **_: [float(i % 2) for i in range(len(completions))],
        args=settings,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=word_tokenizer(model.config.vocab_size),
        callbacks=[OnRequest()],
    )
    torch.manual_seed(0)
    trainer.train()


serve.run(work)
