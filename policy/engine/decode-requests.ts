import { setImmediate } from 'node:timers/promises';
import { postDecoding, type ToDecoding } from './decode-port.ts';
import { completeWeights, loadBase, weightsKey, type PolicyMemory } from './policy-memory.ts';
import type { ThreadCalls } from './thread-protocol.ts';
import { packError } from './transferred-error.ts';

/**
 * Completes prompts as they come, in the policy thread, until it is told to end. Between two tokens it listens: whoever has come
 * joins, whoever gave up leaves. A request that fails is told so; the others go on.
 * @throws ToolsampleError, or what `watch.check` throws
 */
export async function decodeRequests(
  memory: PolicyMemory,
  { policy, trainable, budget, precision, port }: ThreadCalls['decode'],
  watch: { readonly check: () => void },
): Promise<null> {
  try {
    const weights = await completeWeights(memory, policy, trainable);
    const { generator } = await loadBase(memory, policy);
    const batch = await generator.openBatch(weights, budget, {
      weightsKey: weightsKey(policy, trainable),
      checkAbort: watch.check,
      precision,
    });
    const mail: ToDecoding[] = [];
    let wake: (() => void) | null = null;
    port.on('message', (message: ToDecoding) => {
      mail.push(message);
      wake?.();
    });
    postDecoding(port, { kind: 'ready', contextLength: batch.contextLength });
    for (;;) {
      // Not when it comes: that may be in the middle of a step.
      for (const message of mail.splice(0)) {
        if (message.kind === 'end') return null;
        if (message.kind === 'add') batch.add(message.key, message.request);
        else batch.stop(message.key, message.index);
      }
      if (batch.idle()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const { tokens, failures } = await batch.step();
      if (tokens.length > 0) postDecoding(port, { kind: 'tokens', tokens });
      for (const { key, error } of failures) {
        postDecoding(port, { kind: 'failed', key, error: packError(error, 'decode') });
      }
      // A step blocks the thread: now mail comes in.
      await setImmediate();
    }
  } finally {
    port.close();
  }
}
