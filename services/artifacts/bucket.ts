import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  paginateListParts,
  PutObjectCommand,
  S3Client,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { Leftover } from '../../contracts/artifacts.ts';
import { bucketAddress, type BucketLocation } from './artifact-location.ts';
import { bucketError, isAbsent, isNotOffered } from './bucket-errors.ts';

/** Up to so many bytes go in one request, which the server checks by SHA-256; more go in parts, each with a checksum of its own. */
const ONE_REQUEST = 16 * 2 ** 20;
/** S3's own limits: parts of an upload, bytes that a copy may have. */
const MAX_PARTS = 10_000;
const MAX_COPY = 5 * 2 ** 30;
const CONNECT_MILLISECONDS = 5_000;
const SILENT_MILLISECONDS = 30_000;
const ATTEMPTS = 5;

export interface BucketObject {
  readonly bytes: number;
  /** Milliseconds since 1970, by the server's clock, in whole seconds. */
  readonly storedAt: number;
}

/** What an upload is made of; a stream is opened anew for each attempt. */
export interface NewObject {
  readonly sha256: string;
  readonly bytes: number;
  readonly body: () => Uint8Array | Readable;
}

/** The rest of an object, from where it was asked for. */
export interface ObjectBody {
  readonly stream: Readable;
  /** Size of the whole object. */
  readonly bytes: number;
  /** Where the stream begins; 0 when the server does not know ranges. */
  readonly from: number;
}

/** Objects of a bucket below a prefix, by name; what S3's API has, with errors that say what to do. */
export interface Bucket {
  readonly address: string;
  /** Null when there is none. */
  find(name: string): Promise<BucketObject | null>;
  write(name: string, object: NewObject): Promise<void>;
  /** Has the server write the object over itself, so that it counts as new. @returns whether it does now */
  renew(name: string, object: BucketObject): Promise<boolean>;
  /** Null when there is none. */
  read(name: string, from: number): Promise<ObjectBody | null>;
  remove(name: string, signal?: AbortSignal): Promise<void>;
  list(folder: string): AsyncGenerator<BucketObject & { readonly name: string }>;
  /** Uploads in parts that were begun before an instant and never ended. */
  unfinishedUploads(before: number): Promise<Leftover[]>;
}

/** Credentials come from where the AWS SDK looks for them. @throws ToolsampleError as {@link bucketError}, from each method */
export function openBucket(location: BucketLocation): Bucket {
  const { bucket: Bucket, prefix, endpoint, pathStyle } = location;
  const address = bucketAddress(location);
  const region = location.region ?? (endpoint === undefined ? undefined : ownRegion());
  // That later versions of the SDK will need another Node is for us to know: ours is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: pathStyle,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MILLISECONDS, socketTimeout: SILENT_MILLISECONDS },
    // What is read is checked by its own hash.
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const at = (name: string) => ({ Bucket, Key: `${prefix}${name}` });
  const saying = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw bucketError(error, address);
    }
  };
  const absentAsNull = async <T>(work: () => Promise<T>): Promise<T | null> =>
    saying(async () => {
      try {
        return await work();
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    });

  const writeWhole = async (name: string, { sha256, bytes, body }: NewObject): Promise<void> => {
    const given = body();
    const Body = given instanceof Readable ? Buffer.concat(await given.toArray()) : given;
    const ChecksumSHA256 = Buffer.from(sha256, 'hex').toString('base64');
    await client.send(
      new PutObjectCommand({ ...at(name), Body, ContentLength: bytes, ChecksumSHA256 }),
    );
  };

  return {
    address,

    find: async (name) =>
      absentAsNull(async () => {
        const head = await client.send(new HeadObjectCommand(at(name)));
        return {
          bytes: head.ContentLength ?? 0,
          storedAt: head.LastModified?.getTime() ?? 0,
        };
      }),

    write: async (name, object) =>
      saying(async () => {
        if (object.bytes <= ONE_REQUEST) return writeWhole(name, object);
        const partSize = Math.max(ONE_REQUEST, Math.ceil(object.bytes / MAX_PARTS));
        const params = { ...at(name), Body: object.body() };
        await new Upload({ client, params, partSize }).done();
      }),

    async renew(name, { bytes, storedAt }) {
      if (bytes > MAX_COPY) return false;
      try {
        const { Key } = at(name);
        const CopySource = encodeURI(`${Bucket}/${Key}`);
        const copied = await client.send(
          new CopyObjectCommand({ Bucket, Key, CopySource, MetadataDirective: 'REPLACE' }),
        );
        // Not all servers do what S3 does.
        return (copied.CopyObjectResult?.LastModified?.getTime() ?? 0) > storedAt;
      } catch {
        return false;
      }
    },

    read: async (name, from) =>
      absentAsNull(async () => {
        const range = from === 0 ? {} : { Range: `bytes=${from}-` };
        const answer = await client.send(new GetObjectCommand({ ...at(name), ...range }));
        if (!(answer.Body instanceof Readable)) throw new Error('an answer without a body');
        const begin = answer.ContentRange === undefined ? 0 : from;
        return { stream: answer.Body, bytes: begin + (answer.ContentLength ?? 0), from: begin };
      }),

    remove: async (name, abortSignal) => {
      await absentAsNull(async () =>
        client.send(
          new DeleteObjectCommand(at(name)),
          abortSignal === undefined ? {} : { abortSignal },
        ),
      );
    },

    async *list(folder) {
      const pages = paginateListObjectsV2({ client }, { Bucket, Prefix: `${prefix}${folder}` });
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = '', Size = 0, LastModified } of Contents) {
            const name = Key.slice(prefix.length);
            yield { name, bytes: Size, storedAt: LastModified?.getTime() ?? 0 };
          }
        }
      } catch (error) {
        throw bucketError(error, address);
      }
    },

    unfinishedUploads: async (before) =>
      saying(async () => {
        const found: Leftover[] = [];
        try {
          for await (const { Key, UploadId, Initiated } of uploadsUnderWay(
            client,
            Bucket,
            prefix,
          )) {
            if ((Initiated?.getTime() ?? before) >= before) continue;
            const upload = { Bucket, Key, UploadId };
            let bytes = 0;
            for await (const { Parts = [] } of paginateListParts({ client }, upload)) {
              for (const { Size = 0 } of Parts) bytes += Size;
            }
            const remove = async (): Promise<void> => {
              await saying(async () => client.send(new AbortMultipartUploadCommand(upload)));
            };
            found.push({ bytes, remove });
          }
        } catch (error) {
          if (!isNotOffered(error)) throw error;
        }
        return found;
      }),
  };
}

async function* uploadsUnderWay(
  client: S3Client,
  Bucket: string,
  Prefix: string,
): AsyncGenerator<MultipartUpload> {
  let from = {};
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix, ...from }));
    yield* page.Uploads ?? [];
    if (page.IsTruncated !== true) return;
    from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** Servers other than Amazon's have no regions, but requests are signed for one. */
function ownRegion(): string {
  return process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
}
