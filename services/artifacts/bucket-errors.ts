import { S3ServiceException } from '@aws-sdk/client-s3';
import { ToolsampleError } from '../../contracts/errors.ts';
import { errorMessage } from '../process.ts';

/** What the user has to change, whatever the server's status code. */
const REFUSALS = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'AuthorizationHeaderMalformed',
  'CredentialsProviderError',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidBucketName',
  'InvalidToken',
  'NoSuchBucket',
  'PermanentRedirect',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);

/** Whether the server says that there is no such object. A bucket that is missing is another matter. */
export function isAbsent(error: unknown): boolean {
  return (
    error instanceof S3ServiceException &&
    error.$metadata.httpStatusCode === 404 &&
    error.name !== 'NoSuchBucket'
  );
}

/** Whether the server lacks what was asked for: not all have all of S3. */
export function isNotOffered(error: unknown): boolean {
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  return status === 501 || status === 405 || (error as Partial<Error>).name === 'NotImplemented';
}

/**
 * What a failed request means: `config` for what a retry cannot heal, `service` for all else. Without the SDK's error as cause:
 * what it holds of the request is not for logs.
 */
export function bucketError(error: unknown, address: string): ToolsampleError {
  if (error instanceof ToolsampleError) return error;
  const name = error instanceof Error ? error.name : '';
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  const said = status === undefined ? '' : ` (${name}, ${status})`;
  const at = { file: address };
  if (REFUSALS.has(name) || status === 401 || status === 403) {
    return new ToolsampleError(
      'config',
      `the object store refuses: ${errorMessage(error)}${said}`,
      {
        at,
        hint: 'check TOOLSAMPLE_ARTIFACTS and the credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role), which need to read, write, list and delete',
      },
    );
  }
  return new ToolsampleError(
    'service',
    `the object store does not answer: ${errorMessage(error)}${said}`,
    { at, hint: 'is it running, and TOOLSAMPLE_ARTIFACTS its address?' },
  );
}
