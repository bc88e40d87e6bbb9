/** A program of another user that takes all the connections to a port that it can get, says nothing, and tries anew when it loses one. */
import { connect } from "node:net";

const [port, uid, many] = process.argv.slice(2).map(Number) as [number, number, number];
process.setuid?.(uid);
let open = 0;

function take(): void {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.once("connect", () => {
    open += 1;
    if (open === many) process.stdout.write("crowded\n");
  });
  socket.once("close", () => setTimeout(take, 50));
}
for (let at = 0; at < many; at += 1) take();
