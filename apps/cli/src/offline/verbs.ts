/** The verbs that ask a folder of policy files, or what is in force here, questions: their arguments, options and examples. */
import { gather } from "../arguments.ts";
import { BLAST_FORMATS, FORMATS, PROOF_FORMATS, TEST_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";
import { withRequestOptions } from "./request-options.ts";

export function addQuestionVerbs(verb: AddVerb): void {
  withRequestOptions(
    withOfflineOptions(
      verb(
        "explain [dir] [from] [to:port] [port]",
        "allowed or not, by which rule, and what would allow it; here, or by files alone",
        "bulkhead explain web db:5432/tcp\nbulkhead explain policies/ shop/web shop/db:5432/tcp",
        async () => (await import("../verbs/explain.ts")).explain,
      )
        .option("--shadow", "as if audit and staged policies were enforced")
        .option("--change", "only the smallest change that allows it, as YAML"),
    ),
  );
  withRequestOptions(
    withOfflineOptions(
      verb(
        "decide [dir]",
        "allowed or not, by files alone or by what is in force here: one connection, or a file of them",
        "bulkhead decide policies/ --from shop/web --to shop/db --port 5432/tcp\nbulkhead decide --from web --to db --port 5432/tcp\nbulkhead decide policies/ --from web --to api --port http --http 'GET /orders'\nbulkhead decide policies/ --queries questions.jsonl > answers.jsonl",
        async () => (await import("../verbs/decide.ts")).decide,
      )
        .option("--from <end>", "NS/NAME of a pod or its controller, an address, host or world")
        .option("--to <end>", "the same")
        .option("--port <port>", "80/tcp, 53/udp, icmp/8/0, or a port's name at the destination")
        .option("--queries <file>", "questions as JSON Lines, - for standard input")
        .option("--shadow", "as if audit and staged policies were enforced"),
    ),
  );
  withOfflineOptions(
    verb(
      "test [dir]",
      "the PolicyTests of a folder, or in force here: what each expects, and what the policies say",
      "bulkhead test policies/\nbulkhead test\nbulkhead test policies/ -o junit > report.xml",
      async () => (await import("../verbs/test.ts")).test,
      [...FORMATS, ...TEST_FORMATS],
    ).option("--allow-empty", "nothing to test is no error"),
  );
  withOfflineOptions(
    verb(
      "prove [dir] [words...]",
      "does it hold, for all workloads, addresses, protocols and ports; or a packet that contradicts it; without DIR here",
      `bulkhead prove policies/ --that "no path from 'env=dev' to 'app=payments-db'" --transitive\nbulkhead prove policies/ --that "isolated 'tenant=a' 'namespace/tenant=b'"\nbulkhead prove policies/ --that "equivalent-to converted/"\nbulkhead prove new/ --that "implies old/"\nbulkhead prove --that "isolated 'tenant=a' 'tenant=b'"`,
      async () => (await import("../verbs/prove.ts")).prove,
      PROOF_FORMATS,
    )
      .option("--that <statement>", "what is to hold; several times for several", gather)
      .option("--transitive", "paths through other workloads count, too")
      .option("--allow-empty", "a selector may select nobody")
      .option("--shadow", "as if audit and staged policies were enforced")
      .addHelpText(
        "after",
        `
What can be proved:
  no path from X to Y       nobody in X can open a connection to anybody in Y
  isolated X Y              neither from X to Y nor from Y to X
  equivalent-to DIR2        DIR and DIR2 permit the same
  implies DIR2              everything that DIR permits, DIR2 permits, too

X and Y are selectors over labels ('app=web,tier in (a,b),!test'; the namespace is
kubernetes.io/metadata.name=shop, a label of it namespace/KEY=VALUE), a workload (shop/web),
an address or prefix, world, or host. A yes is 0, a counterexample 1.
`,
      ),
  );
  withOfflineOptions(
    verb(
      "blast [dir] [workload]",
      "what an intruder in a workload reaches, directly and from there on; without DIR here",
      "bulkhead blast policies/ shop/web\nbulkhead blast shop/web\nbulkhead blast policies/ shop/web --hops 2 -o dot | dot -Tsvg > blast.svg",
      async () => (await import("../verbs/blast.ts")).blast,
      BLAST_FORMATS,
    )
      .option("--hops <count>", "connections one after the other, at most (all)")
      .option("--all", "every prefix outside, however many")
      .option("--shadow", "as if audit and staged policies were enforced"),
  );
  withOfflineOptions(
    verb(
      "assess [paths...]",
      "where to start: what to confine first, what that is worth, what is missing",
      "bulkhead assess\nbulkhead assess manifests/ -o md",
      async () => (await import("../verbs/assess.ts")).assess,
      [...FORMATS, "md"],
    ),
  );
}
