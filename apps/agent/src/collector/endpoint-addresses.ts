/** Endpoint addresses as the reader thread wants them: numbers in one flat array. */
import { parseIp, type IpAddress } from "@bulkhead/model";
import { ENDPOINT_WORDS, type EndpointAddresses } from "./reader-protocol.ts";

/** The addresses of each endpoint; its position is its number. Throws for text that is no address. */
export function endpointAddresses(endpoints: readonly (readonly IpAddress[])[]): EndpointAddresses {
  const words: number[] = [];
  endpoints.forEach((addresses, endpoint) => {
    for (const address of addresses) {
      const parsed = parseIp(address);
      if (parsed === null) throw new Error(`not an address: ${address}`);
      const { family, value } = parsed;
      if (family === 4) words.push(endpoint, 0, Number(value), 0, 0, 0);
      else
        words.push(
          endpoint,
          1,
          ...[96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn)),
        );
    }
  });
  if (words.length % ENDPOINT_WORDS !== 0) throw new Error("endpoint addresses are malformed");
  return { endpoints: endpoints.length, words: Uint32Array.from(words) };
}
