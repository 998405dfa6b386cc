import { ToolsampleError } from '../../contracts/errors.ts';
import { usePolicy, type NamedPolicy } from '../../serving/use-policy.ts';
import { servePolicy, type PolicyServer } from '../../serving/serve.ts';
import { isLoopback } from '../../services/http-server.ts';
import { onInterrupt } from '../interrupt.ts';
import type { CommandContext } from '../program.ts';
import { readTextFile } from '../read-text-file.ts';
import { printable } from '../render/text.ts';
import { findRunAtEpoch } from '../run-reference.ts';
import type { ServeFlags } from '../serving-commands.ts';

/** `toolsample serve`: serves a policy until it is told to stop; what is under way then is finished, unless it is told twice. */
export async function serve(context: CommandContext, flags: ServeFlags): Promise<void> {
  const { terminal, home } = context;
  const log = (message: string): void => terminal.note(message);
  const token = await apiKey(flags.apiKeyFile, process.env['TOOLSAMPLE_API_KEY']);
  await usePolicy(flags.policy, { home, log, findRun: findRunAtEpoch }, async (policy) =>
    serveUntilStopped(context, flags, policy, token),
  );
}

async function serveUntilStopped(
  { terminal, json }: CommandContext,
  flags: ServeFlags,
  { name, policy }: NamedPolicy,
  token: string | null,
): Promise<void> {
  const log = (message: string): void => terminal.note(message);
  const model = flags.servedModelName ?? name;
  const server = await servePolicy(policy, {
    model,
    strictModel: flags.strictModel ?? false,
    host: flags.host,
    port: flags.port,
    token,
    rows: flags.maxBatchSize,
    queue: flags.maxQueue,
    maxCompletionLength: flags.maxCompletionLength,
    seconds: flags.requestTimeout,
    threads: flags.threads,
    device: flags.device,
    precision: flags.precision,
    log: (message) => log(printable(message)),
  });
  if (token === null && !isLoopback(flags.host)) {
    log(
      `${terminal.paint.yellow('warning:')} whoever reaches ${flags.host} may use this policy — --api-key-file asks for a key`,
    );
  }
  terminal.print(
    json
      ? JSON.stringify({ address: server.address, model })
      : `Serving ${model}  ${server.address}`,
  );
  log('Ctrl-C stops it once the requests under way are done; twice, at once');
  await untilStopped(server);
}

async function untilStopped(server: PolicyServer): Promise<void> {
  return new Promise((resolve, reject) => {
    const release = onInterrupt({
      stop: () => {
        server
          .stop()
          .then(resolve, reject)
          .finally(() => {
            release();
          });
      },
      // Nothing is left to save, and the policy thread would first finish what it computes.
      kill: () => process.kill(process.pid, 'SIGKILL'),
    });
  });
}

const KEY_FORM = 'write the key on one line of a file, and nothing else; --api-key-file names it';

/** Keys are one line without white space around it. */
async function apiKey(file: string | undefined, given: string | undefined): Promise<string | null> {
  if (file === undefined) return given === undefined || given === '' ? null : given;
  const text = await readTextFile(file, KEY_FORM);
  const key = text.trim();
  if (key !== '' && !/\s/.test(key)) return key;
  throw new ToolsampleError('config', 'holds no key', {
    at: { file },
    hint: KEY_FORM,
  });
}
