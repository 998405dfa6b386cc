import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';

const BUCKET = 'artifacts';

/** The one account that the server knows, as the AWS SDK looks for it. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'S3RVER',
  AWS_SECRET_ACCESS_KEY: 'S3RVER',
  AWS_REGION: 'us-east-1',
};

/** An S3-compatible server that keeps its objects in a folder. */
export interface ObjectServer {
  readonly port: number;
  /** The file that holds an object. */
  file(name: string): string;
  /** `TOOLSAMPLE_ARTIFACTS`, straight or through a proxy. */
  location(prefix: string, port?: number): string;
  stop(): Promise<void>;
}

export async function startObjectServer(): Promise<ObjectServer> {
  const directory = await mkdtemp(join(tmpdir(), 'toolsample-objects-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    // It signs `/bucket` where the SDK, like S3 itself, signs `/bucket/`. Unknown accounts are refused all the same.
    allowMismatchedSignatures: true,
    directory,
    configureBuckets: [{ name: BUCKET }],
  });
  const { port } = await server.run();
  return {
    port,
    file: (name) => join(directory, BUCKET, `${name}._S3rver_object`),
    location: (prefix, through = port) =>
      `s3://${BUCKET}/${prefix}?endpoint=http://127.0.0.1:${through}&path_style=true`,
    async stop() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
