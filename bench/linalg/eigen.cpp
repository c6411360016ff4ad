// Eigen as a contestant of `./x bench linalg`; the protocol and the operands are those of contestant.py.

#include <Eigen/Dense>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>

using Clock = std::chrono::steady_clock;

static double item(uint64_t i, uint64_t seed) {
    uint64_t z = (i + (seed << 40)) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return double(z >> 11) / double(1ULL << 53) - 0.5;
}

static double since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Seconds a call: the fastest of some blocks, as in contestant.py.
static double measure(const std::function<void()> &call) {
    auto begin = Clock::now();
    call();
    double took = since(begin);
    if (took < 0.5) {
        begin = Clock::now();
        call();
        took = since(begin);
    }
    if (took >= 0.5) return took;
    const long calls = std::max(1L, long(0.002 / std::max(took, 1e-8)));
    double least = took;
    for (int block = 0; block < (took < 0.05 ? 3 : 1); block++) {
        begin = Clock::now();
        for (long i = 0; i < calls; i++) call();
        least = std::min(least, since(begin) / double(calls));
    }
    return least;
}

template <class T, int N>
static void answer(const std::string &operation, int n) {
    using M = Eigen::Matrix<T, N, N>;
    using V = Eigen::Matrix<T, N, 1>;
    M a(n, n), b(n, n), c(n, n);
    V x(n), y(n);
    for (int i = 0; i < n; i++) {
        x(i) = T(item(uint64_t(i) + 1, 3));
        for (int j = 0; j < n; j++) {
            a(i, j) = T(item(uint64_t(i) * n + j + 1, 1));
            b(i, j) = T(item(uint64_t(i) * n + j + 1, 2));
        }
    }
    const M s = (a + a.transpose()) / T(2);
    const M p = s + T(n) * M::Identity(n, n);
    const M bt = b.transpose();
    T one = 0;
    std::function<void()> call;
    std::function<double()> check;
    if (operation == "matmul") call = [&] { c.noalias() = a * b; }, check = [&] { return double(c.cwiseAbs().sum()); };
    if (operation == "matmul_t")
        call = [&] { c.noalias() = a * b.transpose(); }, check = [&] { return double(c.cwiseAbs().sum()); };
    if (operation == "gemv") call = [&] { y.noalias() = a * x; }, check = [&] { return double(y.cwiseAbs().sum()); };
    if (operation == "lu") call = [&] { Eigen::PartialPivLU<M> lu(a); one += lu.matrixLU()(0, 0); };
    if (operation == "solve") call = [&] { y = a.partialPivLu().solve(x); }, check = [&] { return double(y.cwiseAbs().sum()); };
    if (operation == "inv") call = [&] { c = a.inverse(); }, check = [&] { return double(c.cwiseAbs().sum()); };
    if (operation == "det") call = [&] { one = a.determinant(); }, check = [&] { return double(std::abs(one)); };
    if (operation == "cholesky") call = [&] { c = p.llt().matrixL(); }, check = [&] { return double(c.cwiseAbs().sum()); };
    if (operation == "qr")
        call = [&] {
            Eigen::HouseholderQR<M> qr(a);
            c = qr.matrixQR().template triangularView<Eigen::Upper>();
            M q = qr.householderQ();
            one += q(0, 0);
        },
        check = [&] { return double(c.cwiseAbs().sum()); };
    const bool with_vectors = operation == "eigh" || operation == "eig" || operation == "svd";
    if (operation == "eigvalsh" || operation == "eigh")
        call = [&] {
            const int kind = with_vectors ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly;
            Eigen::SelfAdjointEigenSolver<M> found(s, kind);
            y = found.eigenvalues();
        },
        check = [&] { return double(y.cwiseAbs().sum()); };
    if (operation == "eigvals" || operation == "eig")
        call = [&] {
            Eigen::EigenSolver<M> found(a, with_vectors);
            y = found.eigenvalues().cwiseAbs();
        },
        check = [&] { return double(y.sum()); };
    if (operation == "svdvals" || operation == "svd")
        call = [&] {
            using D = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
            const int kind = with_vectors ? Eigen::ComputeThinU | Eigen::ComputeThinV : 0;
            Eigen::BDCSVD<D> found(D(a), kind);
            y = found.singularValues();
        },
        check = [&] { return double(y.sum()); };
    if (operation == "norm") call = [&] { one = a.norm(); }, check = [&] { return double(one); };
    if (!call) {
        std::puts("{\"missing\": \"has no such operation\"}");
        return;
    }
    const double seconds = measure(call);
    const double number = check ? check() : NAN;
    if (std::isfinite(number))
        std::printf("{\"s\": %.9e, \"check\": %.17e}\n", seconds, number);
    else
        std::printf("{\"s\": %.9e, \"check\": null}\n", seconds);
}

template <class T>
static void answer(const std::string &operation, int n) {
    // One size known to the compiler: each takes it a minute.
    if (n == 4) return answer<T, 4>(operation, n);
    answer<T, Eigen::Dynamic>(operation, n);
}

int main(int, char **arguments) {
    Eigen::setNbThreads(std::stoi(arguments[2]));
    std::string operation, kind;
    int n = 0, count = 0;
    while (std::cin >> operation >> n >> kind >> count) {
        if (count)
            std::puts("{\"missing\": \"has no stacks\"}");
        else if (kind == "f32")
            answer<float>(operation, n);
        else
            answer<double>(operation, n);
        std::fflush(stdout);
    }
}
