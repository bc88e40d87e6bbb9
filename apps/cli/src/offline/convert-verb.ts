/** The verb that writes the policies of a folder in another dialect. */
import { MANIFEST_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";

export function addConvertVerb(verb: AddVerb): void {
  withOfflineOptions(
    verb(
      "convert <files...>",
      "the policies of files and folders in another dialect, proved to permit the same; `-` is standard input",
      "bulkhead convert policies/ --to calico > calico.yaml\nbulkhead convert policies/ --to cilium --out cilium/\nhelm template . | bulkhead convert - --to kubernetes --approximate under -o json",
      async () => (await import("../verbs/convert.ts")).convert,
      MANIFEST_FORMATS,
    )
      .option(
        "--to <dialect>",
        "kubernetes, clusternetworkpolicy, adminnetworkpolicy, cilium, calico, istio, antrea, bulkhead",
      )
      .option("--out <folder>", "one file an object there, instead of printing them")
      .option("--overwrite", "even if files exist")
      .option(
        "--approximate <side>",
        "what cannot be said exactly: over (more is permitted than was meant) or under (less)",
      )
      .addHelpText(
        "after",
        `
Whoever is in the files (pods, namespaces, services) is what the policies are written and proved for:
what was written is read again and compared with the source, over all of them and every address,
protocol and port. A difference, or something that the dialect cannot say, is told with its place;
then nothing is written and the exit code is 1.

Without --ip-block, an ipBlock of Kubernetes is read as the dialect reads its own prefixes.
`,
      ),
  );
}
