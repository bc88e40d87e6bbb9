/**
 * Text that others chose and people read on terminals, in pipelines and in policies: control characters, and format characters
 * that turn the direction of what follows or are not seen at all, may not stand in it.
 */
export const STEERING = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** As it may be shown: each of them is one sign that everybody sees. */
export const withoutSteering = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "�");
