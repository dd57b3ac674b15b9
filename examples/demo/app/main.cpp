// The demo's program, the only file in its images: a small web server, a worker, and a probe for the worker.
// It is static, so that an image needs nothing besides.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

std::string environment(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value ? value : otherwise;
}

std::string content_of(const char* path) {
    std::string text;
    if (FILE* file = std::fopen(path, "r")) {
        char buffer[1024];
        for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
        std::fclose(file);
    }
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

/// A descriptor that becomes readable when the container is to stop.
int stop_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

void answer(int connection) {
    timeval limit{2, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char request[2048];
    ssize_t n = read(connection, request, sizeof request - 1);
    if (n <= 0) return;
    request[n] = '\0';
    bool health = std::strncmp(request, "GET /health ", 12) == 0;
    bool well = environment("HEALTHY", "yes") == "yes";
    std::string body =
        health ? (well ? "well\n" : "the database schema is missing\n")
               : "version " + environment("VERSION", "?") + ", greeting: " + content_of("/etc/greeting") + "\n";
    std::string status = health && !well ? "503 Service Unavailable" : "200 OK";
    std::string reply = "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)!write(connection, reply.data(), reply.size());
    shutdown(connection, SHUT_WR);
    while (read(connection, request, sizeof request) > 0) {  // until the client has read it all and closes
    }
}

int serve() {
    int stop = stop_signal();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(8080);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 128) != 0) {
        std::perror("listen on port 8080");
        return 1;
    }
    std::printf("serving version %s\n", environment("VERSION", "?").c_str());
    std::fflush(stdout);
    bool stopping = false;
    while (true) {
        pollfd waits[] = {{listener, POLLIN, 0}, {stop, POLLIN, 0}};
        // Once told to stop, connections that are already waiting are still answered.
        int ready = poll(waits, stopping ? 1 : 2, stopping ? 200 : -1);
        if (stopping && ready <= 0) return 0;
        if (!stopping && waits[1].revents) stopping = true;
        if (waits[0].revents) {
            int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) continue;
            answer(connection);
            close(connection);
        }
    }
}

/// Adds a line to /data/beats every half second.
int work() {
    int stop = stop_signal();
    while (true) {
        if (FILE* file = std::fopen("/data/beats", "a")) {
            std::fprintf(file, "%ld %s\n", static_cast<long>(std::time(nullptr)), environment("HOSTNAME", "?").c_str());
            std::fclose(file);
        }
        pollfd wait{stop, POLLIN, 0};
        if (poll(&wait, 1, 500) > 0) return 0;
    }
}

/// Well if the worker has written within the last five seconds.
int check() {
    struct stat info {};
    if (stat("/data/beats", &info) != 0) {
        std::puts("no beat yet");
        return 1;
    }
    long age = static_cast<long>(std::time(nullptr) - info.st_mtime);
    std::printf("last beat %ld s ago\n", age);
    return age <= 5 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "web") return serve();
    if (mode == "worker") return work();
    if (mode == "check") return check();
    std::fprintf(stderr, "usage: app web|worker|check\n");
    return 2;
}
