/** The options by which a question tells what travels in the connection. What they mean is `requests.ts`'s. */
import type { Command } from "commander";
import { gather } from "../arguments.ts";

export interface RequestOptions {
  readonly http?: string;
  readonly header?: readonly string[];
  readonly sni?: string;
  readonly dns?: string;
  readonly toFqdn?: readonly string[];
}

export function withRequestOptions(command: Command): Command {
  return command
    .option("--http <request>", "with this request: 'GET /x', 'POST https://host/x'")
    .option("--header <header>", "of that request, as 'Name: value'", gather)
    .option("--sni <name>", "with TLS under this name")
    .option("--dns <name>", "with a DNS question for this name")
    .option("--to-fqdn <name>", "a name that stands for the destination's address", gather);
}
