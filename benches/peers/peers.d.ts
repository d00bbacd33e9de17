// The parts of Bun and uWebSockets.js that the peers use: both packages are too large (100 MB each) to be installed for their types.

interface BunSocket<Data> {
  data: Data;
  subscribe(topic: string): void;
  sendText(text: string, compress: boolean): number;
}

interface BunServer<Data> {
  port: number;
  upgrade(request: Request, options: { data: Data }): boolean;
  publish(topic: string, text: string, compress: boolean): number;
}

interface BunOptions<Data> {
  hostname: string;
  port: number;
  fetch(request: Request, server: BunServer<Data>): Response | undefined;
  websocket: {
    perMessageDeflate: boolean;
    backpressureLimit: number;
    maxPayloadLength: number;
    idleTimeout: number;
    message(socket: BunSocket<Data>, message: string): void;
    close(socket: BunSocket<Data>): void;
  };
}

declare const Bun: { serve<Data>(options: BunOptions<Data>): BunServer<Data> };

declare module "uwebsockets" {
  export interface Socket<Data> {
    getUserData(): Data;
    subscribe(topic: string): boolean;
    send(text: string, isBinary: boolean, compress: boolean): number;
  }
  export interface Behavior<Data> {
    compression: number;
    maxBackpressure: number;
    maxPayloadLength: number;
    idleTimeout: number;
    message(socket: Socket<Data>, message: ArrayBuffer): void;
    close(socket: Socket<Data>): void;
  }
  export interface App {
    ws<Data>(pattern: string, behavior: Behavior<Data>): App;
    publish(topic: string, text: string, isBinary: boolean, compress: boolean): boolean;
    listen(host: string, port: number, listening: (socket: object | false) => void): App;
  }
  const uWS: { DISABLED: number; App(): App; us_socket_local_port(socket: object): number };
  export default uWS;
}
