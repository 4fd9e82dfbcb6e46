#include "engine_process.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <vector>

#include "engine/clock.hpp"
#include "flow_commands.hpp"

namespace lab::engine::bench {
namespace {

std::vector<std::string> command_line(const std::string& binary, const std::string& journal, u64 ids_max) {
  const JournalHeader header = flow_header();
  std::string symbols;
  for (const std::string& symbol : header.symbols) symbols += (symbols.empty() ? "" : ",") + symbol;
  return {binary, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--journal", journal, "--symbols", symbols,
          "--price-min", std::to_string(header.limits.price_min), "--price-max", std::to_string(header.limits.price_max),
          "--max-orders", std::to_string(header.limits.orders), "--max-ids", std::to_string(ids_max)};
}

// The engine on the first processor we may use, the caller on the last: waking a thread on another one costs a virtual
// machine more than the work it is woken for.
void pin(bool first) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<std::size_t> processors;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  }
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  CPU_SET(first ? processors.front() : processors.back(), &chosen);
  ::sched_setaffinity(0, sizeof chosen, &chosen);
}

[[noreturn]] void become(std::vector<std::string> arguments, int output) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin(true);
  ::dup2(output, STDOUT_FILENO);
  ::execv(pointers[0], pointers.data());
  std::perror(pointers[0]);
  std::_Exit(1);
}

// The port in the line that says engine_started.
std::string started_port(std::FILE* log) {
  char line[4096];
  while (std::fgets(line, sizeof line, log) != nullptr) {
    const std::string text = line;
    const std::size_t at = text.find("\"port\": ");
    if (text.find("engine_started") != std::string::npos && at != std::string::npos) {
      return std::to_string(std::stoi(text.substr(at + 8)));
    }
    std::fputs(line, stderr);
  }
  throw std::runtime_error("the engine did not start");
}

}  // namespace

EngineProcess::EngineProcess(const std::string& binary, const std::string& parent, u64 ids_max) : directory_(parent) {
  int ends[2];
  if (::pipe(ends) != 0) fail_on("make", "a pipe");
  process_ = ::fork();
  if (process_ < 0) fail_on("fork", binary);
  if (process_ == 0) become(command_line(binary, directory_.path(), ids_max), ends[1]);
  pin(false);
  ::close(ends[1]);
  std::FILE* const log = ::fdopen(ends[0], "r");
  address_ = "127.0.0.1:" + started_port(log);
  std::fclose(log);
}

EngineProcess::~EngineProcess() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

double EngineProcess::cpu_seconds() const {
  clockid_t clock{};
  if (::clock_getcpuclockid(process_, &clock) != 0) return 0;
  return static_cast<double>(nanoseconds(clock)) / 1e9;
}

}  // namespace lab::engine::bench
