/**
 * Where metrics go: an address to be scraped at, a collector to be pushed to, or, unless somebody asks for it, nowhere. The
 * command line writes it to the state directory, and the controller reads it there.
 */
import { z } from "zod";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `9464` on this machine alone, `0.0.0.0:9464`, `[::1]:9464`; null where it is none of these. */
export function parseListen(text: string): ListenAddress | null {
  const found = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port < 1 || port > 65_535) return null;
  return { host: found[1] ?? found[2] ?? "127.0.0.1", port };
}

/** The base URL of an OTLP/HTTP receiver. */
export const isReceiver = (text: string): boolean =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

export const telemetryFileSchema = z.strictObject({
  metrics: z.string().optional(),
  otlp: z.string().optional(),
});
export type TelemetryFile = z.infer<typeof telemetryFileSchema>;
