/*
 * Greedy decoding with llama.cpp, through node-llama-cpp: one prompt, one row.
 * Asked like the Python peers (serve.py). Job: file (GGUF), threads, prompt (token ids), newTokens.
 * Seconds and tokens: from the first new token to the last; the prefill does not count.
 */
import { createInterface } from 'node:readline';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const answer = (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`);

async function decode(sequence, { prompt, newTokens }) {
  await sequence.clearHistory();
  let tokens = 0;
  let started = 0;
  const options = { temperature: 0, yieldEogTokens: true };
  for await (const _ of sequence.evaluate(prompt, options)) {
    if (tokens === 0) started = performance.now();
    tokens += 1;
    if (tokens === newTokens) break;
  }
  return { seconds: (performance.now() - started) / 1000, tokens: tokens - 1 };
}

async function open({ file, threads, prompt, newTokens }) {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: file });
  const contextSize = prompt.length + newTokens + 1;
  const context = await model.createContext({
    contextSize,
    threads: { ideal: threads, min: threads },
  });
  return context.getSequence();
}

try {
  let job;
  let sequence;
  for await (const line of createInterface({ input: process.stdin })) {
    if (sequence === undefined) {
      job = JSON.parse(line);
      sequence = await open(job);
      await decode(sequence, job);
      answer({ ready: true });
    } else {
      answer(await decode(sequence, job));
    }
  }
  process.exit(0);
} catch (error) {
  answer({ error: String(error).split('\n', 1)[0] });
  process.exit(1);
}
