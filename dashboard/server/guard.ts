import type { MiddlewareHandler } from 'hono';
import { isOwnHost } from '../../services/http-server.ts';

/**
 * What the pages may do: run our script, use our style, ask us. Charts and texts of models are drawn without a line of HTML from
 * anywhere else.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/**
 * Lets only those in who mean us: a page of another site that has our address under its own name (DNS rebinding) is refused, and so
 * is every request that is not a plain read.
 */
export function guard(): MiddlewareHandler {
  return async (c, next) => {
    c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    c.header('Cross-Origin-Resource-Policy', 'same-origin');
    c.header('Cross-Origin-Opener-Policy', 'same-origin');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Cache-Control', 'no-store');
    if (!isOwnHost(c.req.header('host'))) {
      return c.text('This dashboard answers to localhost and 127.0.0.1 only.\n', 403);
    }
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      return c.text('This dashboard can only be read.\n', 405, { Allow: 'GET, HEAD' });
    }
    return next();
  };
}
