import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Peer } from './in-turn.ts';
import { parsePeerAnswer, type PeerAnswer } from './peer-answers.ts';

/** A peer that has not answered by then never will: loading and a repetition take minutes at most. */
const ANSWER_LIMIT_MILLISECONDS = 45 * 60_000;
/** Characters of a peer's own messages that are kept, to tell why it ended. */
const KEPT_MESSAGES = 2000;

/**
 * Starts a peer and waits until it is warm. It ends with us: its input closes, whatever ends this process.
 * @throws Error with the reason when it cannot be started or refuses the job
 */
export async function startPeer(
  command: string,
  args: readonly string[],
  job: object,
  environment: NodeJS.ProcessEnv = {},
): Promise<Peer> {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let messages = '';
  child.stderr.on('data', (part: Buffer) => {
    messages = (messages + part.toString()).slice(-KEPT_MESSAGES);
  });
  // A peer that has ended is noticed by its missing answer.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
  });
  ended.catch(() => undefined);
  const nextAnswer = async (): Promise<PeerAnswer> => {
    const next = await lines.next();
    if (next.done !== true) return parsePeerAnswer(next.value);
    const last = messages.trim().split('\n').at(-1) ?? '';
    throw new Error(`the peer ended${last === '' ? '' : `: ${last}`}`);
  };
  const ask = async (request: object): Promise<PeerAnswer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const limit = deadline();
    try {
      const answer = await Promise.race([nextAnswer(), ended, limit.passed]);
      if (answer.kind === 'error') throw new Error(answer.message);
      return answer;
    } finally {
      limit.cancel();
    }
  };
  const close = async (): Promise<void> => {
    child.stdin.end();
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  try {
    await ask(job);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    measure: async () => {
      const answer = await ask({ measure: true });
      if (answer.kind !== 'repetition') throw new Error(`the peer answered "${answer.kind}"`);
      return answer.repetition;
    },
    close,
  };
}

function deadline(): { readonly passed: Promise<never>; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    const minutes = ANSWER_LIMIT_MILLISECONDS / 60_000;
    timer = setTimeout(
      () => reject(new Error(`no answer for ${minutes} minutes`)),
      ANSWER_LIMIT_MILLISECONDS,
    );
  });
  return { passed, cancel: () => clearTimeout(timer) };
}
