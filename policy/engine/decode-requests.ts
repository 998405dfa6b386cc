import { setImmediate } from 'node:timers/promises';
import { postDecoding, type ToDecoding } from './decode-port.ts';
import { completeWeights, loadBase, weightsKey, type PolicyMemory } from './policy-memory.ts';
import type { ThreadCalls } from './thread-protocol.ts';

/**
 * Completes prompts as they come, in the policy thread, until it is told to end. Between two tokens it listens: whoever has come
 * joins, whoever gave up leaves.
 * @throws ToolsampleError, or what `watch.check` throws
 */
export async function decodeRequests(
  memory: PolicyMemory,
  { policy, trainable, budget, port }: ThreadCalls['decode'],
  watch: { readonly check: () => void },
): Promise<null> {
  try {
    const weights = await completeWeights(memory, policy, trainable);
    const { generator } = await loadBase(memory, policy);
    const batch = await generator.openBatch(weights, budget, {
      weightsKey: weightsKey(policy, trainable),
      checkAbort: watch.check,
    });
    const state = { ended: false, wake: (): void => undefined };
    port.on('message', (message: ToDecoding) => {
      if (message.kind === 'add') batch.add(message.key, message.request);
      else if (message.kind === 'stop') batch.stop(message.key, message.index);
      else state.ended = true;
      state.wake();
    });
    postDecoding(port, { kind: 'ready' });
    while (!state.ended) {
      if (batch.idle()) {
        await new Promise<void>((resolve) => {
          state.wake = resolve;
        });
        continue;
      }
      const tokens = await batch.step();
      if (tokens.length > 0) postDecoding(port, { kind: 'tokens', tokens });
      // A step blocks the thread: only now messages come in.
      await setImmediate();
    }
    return null;
  } finally {
    port.close();
  }
}
