import { check, type Check } from './check.ts';

/** Whether ONNX Runtime loads, and with which execution providers. */
export function checkTensorRuntime(): Promise<Check> {
  return check('ONNX Runtime', async () => {
    try {
      // Loaded here and not with the module: a missing native library must become a finding.
      const { env, listSupportedBackends } = await import('onnxruntime-node');
      const providers = listSupportedBackends();
      const bundled = providers.filter((provider) => provider.bundled).map(({ name }) => name);
      const others = providers.filter((provider) => !provider.bundled).map(({ name }) => name);
      const rest = others.length > 0 ? `; not part of the package: ${others.join(', ')}` : '';
      return {
        status: 'ok',
        found: `${env.versions.node ?? env.versions.common}, providers ${bundled.join(', ')}${rest}`,
        advice: null,
      };
    } catch (error) {
      return {
        status: 'fail',
        found: `does not load: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`,
        advice:
          'run npm install again; ONNX Runtime needs 64-bit Linux (glibc 2.27 or newer), macOS or Windows',
      };
    }
  });
}
