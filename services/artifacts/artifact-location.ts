import { isAbsolute } from 'node:path';
import { byteSize } from '../../contracts/byte-size.ts';
import { ToolsampleError } from '../../contracts/errors.ts';

/** A bucket of an object store, and how to get there. Credentials are not part of it. */
export interface BucketLocation {
  readonly kind: 's3';
  readonly bucket: string;
  /** Before every key; empty, or ends in a slash. */
  readonly prefix: string;
  /** Undefined: Amazon's, or what the SDK's own configuration says. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** The bucket is part of the path, not of the host name. */
  readonly pathStyle: boolean;
  /** How much of it is kept on this machine, in bytes. */
  readonly cacheBytes: number;
}

/** Where artifacts lie. */
export type ArtifactLocation =
  | BucketLocation
  | { readonly kind: 'folder'; readonly folder: string }
  /** The data folder's own `artifacts/`. */
  | { readonly kind: 'home' };

type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLE = 'TOOLSAMPLE_ARTIFACTS';
const CACHE_VARIABLE = 'TOOLSAMPLE_ARTIFACTS_CACHE';
const DEFAULT_CACHE = '20GB';
const PARAMETERS = ['endpoint', 'region', 'path_style'];

/**
 * Reads `TOOLSAMPLE_ARTIFACTS`: `s3://bucket/prefix?endpoint=…&region=…&path_style=true`, or an absolute path. Unset: the data
 * folder's own.
 *
 * @throws ToolsampleError `config` for anything else; what was given is not repeated, as it might hold a key
 */
export function artifactLocation(env: Environment): ArtifactLocation {
  const given = env[VARIABLE] ?? '';
  if (given === '') return { kind: 'home' };
  if (isAbsolute(given)) return { kind: 'folder', folder: given };
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url?.protocol !== 's3:') throw refused('is neither s3://bucket/prefix nor an absolute path');
  if (url.username !== '' || url.password !== '') {
    throw refused('holds credentials', 'leave them to AWS_ACCESS_KEY_ID, a profile or a role');
  }
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(url.hostname)) throw refused('names no bucket');
  const unknown = [...url.searchParams.keys()].some((name) => !PARAMETERS.includes(name));
  if (unknown) throw refused('has parameters that are not known');
  const path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '');
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    throw refused('has an endpoint that is not http:// or https://, a host and a port');
  }
  const style = url.searchParams.get('path_style') ?? 'false';
  if (style !== 'true' && style !== 'false') throw refused('has a path_style that is not true');
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    endpoint,
    region: url.searchParams.get('region') ?? undefined,
    pathStyle: style === 'true',
    cacheBytes: cacheBytes(env),
  };
}

/** `s3://bucket/prefix`, for people to read. */
export function bucketAddress({ bucket, prefix }: BucketLocation): string {
  return `s3://${bucket}/${prefix}`.replace(/\/$/, '');
}

function cacheBytes(env: Environment): number {
  const given = env[CACHE_VARIABLE] ?? '';
  const bytes = byteSize(given === '' ? DEFAULT_CACHE : given);
  if (bytes !== null) return bytes;
  throw new ToolsampleError('config', `${CACHE_VARIABLE} is not a size`, {
    hint: 'write it as 20GB or 512MiB',
  });
}

function refused(problem: string, hint?: string): ToolsampleError {
  const form = 's3://bucket/prefix?endpoint=https://host&region=name&path_style=true';
  return new ToolsampleError('config', `${VARIABLE} ${problem}`, {
    hint: hint ?? `write it as ${form}, all but the bucket as needed`,
  });
}
