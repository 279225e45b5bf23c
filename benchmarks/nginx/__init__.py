"""The nginx side, measured: what users get through a real nginx while connections expire, workers come and go.

python -m benchmarks.nginx --take writes benchmarks/results/nginx.json and docs/nginx-measured.md.
"""
