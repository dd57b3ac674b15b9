#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "tests/support/process.h"

#include <httplib.h>

#include <fcntl.h>
#include <sys/mman.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

namespace kedge::test {

/// Serves the Git repositories below a folder by the smart protocol, through `git http-backend` (its CGI interface),
/// over http or, with a certificate, https. With `authorization` (a whole header value) others get 401.
class GitHttpServer {
public:
    GitHttpServer(std::string folder, const std::string& certificate = {}, const std::string& key = {},
                  std::string authorization = {})
        : folder_(std::move(folder)), authorization_(std::move(authorization)) {
        if (certificate.empty())
            server_ = std::make_unique<httplib::Server>();
        else
            server_ = std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str());
        auto handle = [this](const httplib::Request& request, httplib::Response& response) {
            answer(request, response);
        };
        server_->Get("/.*", handle);
        server_->Post("/.*", handle);
        port_ = server_->bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server_->listen_after_bind(); });
    }
    ~GitHttpServer() {
        server_->stop();
        thread_.join();
    }

    int port() const { return port_; }

private:
    void answer(const httplib::Request& request, httplib::Response& response) {
        if (!authorization_.empty() && request.get_header_value("Authorization") != authorization_) {
            response.status = 401;
            response.set_header("WWW-Authenticate", "Basic realm=\"git\"");
            return;
        }
        size_t mark = request.target.find('?');
        Fd body(::memfd_create("body", MFD_CLOEXEC));
        write_all(body.get(), request.body);
        (void)::lseek(body.get(), 0, SEEK_SET);
        int fds[2];
        if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("pipe");
        Fd read_end(fds[0]), write_end(fds[1]);
        Process backend({"git", "http-backend"},
                        {{{"GIT_PROJECT_ROOT", folder_},
                          {"GIT_HTTP_EXPORT_ALL", "1"},
                          {"GIT_CONFIG_GLOBAL", "/dev/null"},
                          {"GIT_CONFIG_COUNT", "1"},
                          {"GIT_CONFIG_KEY_0", "safe.directory"},
                          {"GIT_CONFIG_VALUE_0", "*"},
                          {"PATH_INFO", request.path},
                          {"QUERY_STRING", mark == std::string::npos ? "" : request.target.substr(mark + 1)},
                          {"REQUEST_METHOD", request.method},
                          {"CONTENT_TYPE", request.get_header_value("Content-Type")},
                          {"CONTENT_LENGTH", std::to_string(request.body.size())},
                          {"HTTP_CONTENT_ENCODING", ""}},
                         body.get(),
                         write_end.get(),
                         -1});
        write_end.reset();
        std::string output = read_all(read_end.get(), 256u << 20);
        size_t head = output.find("\r\n\r\n");
        std::string type = "text/plain";
        for (size_t at = 0; at < head;) {
            size_t end = std::min(output.find("\r\n", at), head);
            std::string line = output.substr(at, end - at);
            if (line.starts_with("Status: ")) response.status = std::atoi(line.c_str() + 8);
            if (line.starts_with("Content-Type: ")) type = line.substr(14);
            at = end + 2;
        }
        response.set_content(head == std::string::npos ? "" : output.substr(head + 4), type);
    }

    std::string folder_;
    std::string authorization_;
    std::unique_ptr<httplib::Server> server_;
    int port_ = 0;
    std::thread thread_;
};

}  // namespace kedge::test
