import { createHash, timingSafeEqual } from 'node:crypto';
import type { HonoRequest, MiddlewareHandler } from 'hono';
import { isOfOtherSite, isOwnHost } from '../services/http-server.ts';
import { ApiError } from './api-error.ts';

/** Who may ask. */
export interface AccessOptions {
  /** The bearer token that every request has to bring; null: none. */
  readonly token: string | null;
  /** Answers only those who have us under this machine's own names, and no pages of other sites. */
  readonly ownHostOnly: boolean;
}

/** Lets in who may ask. @throws ApiError 401, 403 */
export function access({ token, ownHostOnly }: AccessOptions): MiddlewareHandler {
  const wanted = token === null ? null : digest(token);
  return async (c, next) => {
    if (ownHostOnly) refuseOthers(c.req);
    if (wanted !== null) {
      const [, given = ''] = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
      // Equal lengths, compared in a time that tells nothing of where they differ.
      if (!timingSafeEqual(digest(given), wanted)) {
        const problem = given === '' ? 'no API key: send it as a bearer token' : 'wrong API key';
        throw new ApiError(401, problem, { code: 'invalid_api_key' });
      }
    }
    return next();
  };
}

function refuseOthers(request: HonoRequest): void {
  if (!isOwnHost(request.header('host'))) {
    throw new ApiError(403, 'this server answers to localhost and 127.0.0.1 only');
  }
  if (isOfOtherSite(request.header('origin'), request.header('sec-fetch-site'))) {
    throw new ApiError(
      403,
      'this server does not answer a page of another site; serve with an API key, and ask from a server of your own',
    );
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
