import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DEVICE_NEEDS } from '../../contracts/device-needs.ts';
import { check, type Check } from './check.ts';

/** Loading a GPU's driver takes a second or two; one that hangs is not waited for. */
const TIME_LIMIT_MS = 15_000;

/** Providers that runs can ask for besides `cpu`. */
type Provider = keyof typeof DEVICE_NEEDS;

/** Where `onnxruntime-node` is found from. */
const HERE = fileURLToPath(new URL('.', import.meta.url));

/** An ONNX model of one node, y = −x, both float [1]; opset 21. */
const MODEL =
  'CAoSCnRvb2xzYW1wbGU6OwoQCgF4EgF5GgFuIgNOZWc6ABIFZ3JhcGhaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAVQhEKDWNvbS5taWNyb3NvZnQQAQ==';

/** Runs the model on a provider and prints `opens`, or why it does not open. */
const PROBE = `
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
const [provider, model] = process.argv.slice(1);
env.logLevel = 'fatal';
try {
  const session = await InferenceSession.create(Buffer.from(model, 'base64'), {
    executionProviders: [provider],
    logSeverityLevel: 4,
  });
  const { y } = await session.run({ x: new Tensor('float32', [2], [1]) });
  console.log(y.data[0] === -2 ? 'opens' : 'opens, but computes wrong numbers');
} catch (error) {
  console.log(error.message.trim().replaceAll(/\\s+/g, ' ').replace(/^\\/\\S+ .* was false\\. /, ''));
}
`;

/**
 * Whether each further provider of ONNX Runtime really opens, tried in a process of its own: a driver may crash, or print what it
 * likes. None is needed, so none can fail.
 */
export async function checkProviders(): Promise<readonly Check[]> {
  return Promise.all([checkProvider('cuda'), checkProvider('webgpu')]);
}

function checkProvider(provider: Provider): Promise<Check> {
  return check(provider === 'cuda' ? 'CUDA' : 'WebGPU', async () => {
    const answer = await probe(provider);
    if (answer === 'opens') return { status: 'ok', found: answer, advice: null };
    return {
      status: 'warn',
      found: answer,
      advice: `device "${provider}" takes ${DEVICE_NEEDS[provider]}`,
    };
  });
}

function probe(provider: Provider): Promise<string> {
  const flags = ['--input-type=module', '--eval', PROBE, provider, MODEL];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      flags,
      { cwd: HERE, timeout: TIME_LIMIT_MS, killSignal: 'SIGKILL' },
      (error, stdout) => {
        const said = stdout.trim().split('\n').at(-1) ?? '';
        if (said !== '') resolve(said);
        else if (error?.killed === true) resolve('does not answer: its driver hangs');
        else resolve('its driver crashes');
      },
    );
  });
}
